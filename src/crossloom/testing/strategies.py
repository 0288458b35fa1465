"""Hypothesis strategies for choices and hardware: whatever holds, holds for all of these."""

from hypothesis import strategies as st

from crossloom.mapping import (
    DifferentialPair,
    Encoding,
    MappingConfig,
    OffsetColumn,
    SignMagnitude,
    Slicing,
    TwosComplement,
    Whole,
)
from crossloom.quant import QuantConfig
from crossloom.spec import BitSerial, InputMode, MultiLevel, Pulse, SystemSpec, load_system


def encodings() -> st.SearchStrategy[Encoding]:
    """Every encoding."""
    return st.sampled_from([DifferentialPair(), OffsetColumn()])


def slicings() -> st.SearchStrategy[Slicing]:
    """Every slicing, with up to 4 bits per cell."""
    return st.one_of(
        st.just(Whole()),
        st.builds(SignMagnitude, bits_per_cell=st.integers(1, 4)),
        st.builds(TwosComplement, bits_per_cell=st.integers(1, 4)),
    )


def input_modes() -> st.SearchStrategy[InputMode]:
    """Every input mode, with up to 3 bits per pulse."""
    return st.one_of(
        st.builds(BitSerial, bits_per_pulse=st.integers(1, 3)),
        st.builds(Pulse, is_rotated=st.booleans()),
        st.just(MultiLevel()),
    )


def mappings() -> st.SearchStrategy[MappingConfig]:
    """Encoding, slicing, input mode and copies, independent of one another; the integration time is 1."""
    return st.builds(
        MappingConfig,
        encoding=encodings(),
        slicing=slicings(),
        input_mode=input_modes(),
        copies=st.integers(1, 3),
        row_copies=st.integers(1, 2),
        integration_time=st.just(1.0),
    )


def quantisations() -> st.SearchStrategy[QuantConfig]:
    """Up to 8 bits of weights and 6 of activations, with any sign and any way to find ranges."""
    return st.builds(
        QuantConfig,
        weight_bits=st.integers(2, 8),
        activation_bits=st.integers(2, 6),
        activations_are_signed=st.sampled_from([None, True, False]),
        per_channel=st.booleans(),
        weight_range=st.sampled_from(["min_max", "percentile", "mse"]),
        activation_range=st.sampled_from(["min_max", "percentile", "mse"]),
    )


@st.composite
def ideal_systems(draw: st.DrawFn) -> SystemSpec:
    """Ideal hardware of any wiring, with small crossbars so that matrices split, and ideal or wide converters."""
    macro = "chip.core.macro"
    return load_system(
        "ideal",
        {
            "num_chips": 64,
            f"{macro}.pairing": draw(st.sampled_from(["rows", "columns", "none"])),
            f"{macro}.crossbar.num_rows": draw(st.integers(8, 80)),
            f"{macro}.crossbar.num_columns": draw(st.integers(24, 80)),
            f"{macro}.dac.is_signed": draw(st.booleans()),
            f"{macro}.readout": draw(st.sampled_from([{}, {"bits": 32}])),
        },
    )
