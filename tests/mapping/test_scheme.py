"""What is encoded decodes to itself, for every encoding, slicing and wiring."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from crossloom.circuits import effective_array
from crossloom.errors import ConfigError
from crossloom.hardware import Wiring
from crossloom.mapping import (
    DifferentialPair,
    LayerMappingConfig,
    OffsetColumn,
    Scheme,
    SignMagnitude,
    TwosComplement,
    Whole,
    make_scheme,
)
from crossloom.spec import BitSerial, MacroSpec, MultiLevel, Pulse, load_system
from crossloom.testing.strategies import encodings, slicings
from flows import MACRO

SETTINGS = settings(max_examples=80, deadline=None)


def macro(**overrides) -> MacroSpec:
    return load_system("ideal", {f"{MACRO}.{name}": value for name, value in overrides.items()}).macro


def whole_weights(bits: int, num_inputs: int, num_outputs: int, seed: int) -> torch.Tensor:
    top = 2 ** (bits - 1) - 1
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randint(-top, top + 1, (num_inputs, num_outputs), generator=generator)
    weight[0, 0], weight[-1, -1] = -top, top
    return weight


def seen_by_converters(scheme: Scheme, levels: torch.Tensor) -> torch.Tensor:
    """[input, converted output]: what unit inputs make of the cells."""
    wiring = Wiring(scheme.pairing, scheme.row_copies)
    return effective_array(levels.double(), None, wiring, 1.0).matrix


@SETTINGS
@given(
    encodings(),
    slicings(),
    st.sampled_from(["rows", "columns", "none"]),
    st.integers(2, 9),
    st.integers(1, 3),
    st.integers(1, 5),
    st.integers(1, 5),
    st.integers(0, 999),
)
def test_decoding_undoes_encoding(
    encoding, slicing, pairing, bits, row_copies, num_inputs, num_outputs, seed
):
    config = LayerMappingConfig(encoding=encoding, slicing=slicing, row_copies=row_copies)
    scheme = make_scheme(config, bits, macro(pairing=pairing))
    weight = whole_weights(bits, num_inputs, num_outputs, seed)
    levels = scheme.encode(weight)
    answered = scheme.decode(seen_by_converters(scheme, levels)) / row_copies
    assert torch.equal(answered, weight.double())


@SETTINGS
@given(encodings(), slicings(), st.sampled_from(["rows", "columns", "none"]), st.integers(2, 9))
def test_levels_are_whole_and_within_those_that_were_asked_for(encoding, slicing, pairing, bits):
    scheme = make_scheme(LayerMappingConfig(encoding=encoding, slicing=slicing), bits, macro(pairing=pairing))
    levels = scheme.encode(whole_weights(bits, 4, 4, 0))
    _, _, digit_range = slicing.cut(torch.zeros(0, dtype=torch.int32), bits)
    assert levels.min() >= 0
    assert levels.max() <= encoding.num_levels(digit_range) - 1
    assert levels.max().item() * scheme.level_step <= macro().cell.g_max * (1 + 1e-12)


@SETTINGS
@given(slicings(), st.integers(2, 9), st.integers(0, 999))
def test_digits_times_their_coefficients_add_up_to_the_weight(slicing, bits, seed):
    weight = whole_weights(bits, 3, 3, seed)
    digits, coefficients, (lowest, highest) = slicing.cut(weight.int(), bits)
    total = sum(coefficient * digit.long() for coefficient, digit in zip(coefficients, digits, strict=True))
    assert torch.equal(total, weight)
    assert lowest <= digits.min()
    assert digits.max() <= highest


def test_a_pair_holds_what_is_above_zero_in_one_cell_and_what_is_below_in_the_other():
    weight = torch.tensor([[3, -2]])
    laid = {
        pairing: make_scheme(LayerMappingConfig(encoding=DifferentialPair()), 4, macro(pairing=pairing))
        .encode(weight)
        .tolist()
        for pairing in ("rows", "columns", "none")
    }
    assert laid == {"rows": [[3, 0], [0, 2]], "columns": [[3, 0, 0, 2]], "none": [[3, 0, 0, 2]]}


def test_an_offset_column_stands_for_zero():
    scheme = make_scheme(LayerMappingConfig(encoding=OffsetColumn()), 3, macro())
    assert scheme.encode(torch.tensor([[3, -3, 0]])).tolist() == [[6, 0, 3, 3]]
    assert scheme.pairing == "none"


def test_row_copies_lie_one_under_another():
    scheme = make_scheme(LayerMappingConfig(row_copies=2), 4, macro(pairing="rows"))
    assert scheme.encode(torch.tensor([[3], [-2]])).tolist() == [
        [3],
        [0],
        [3],
        [0],
        [0],
        [2],
        [0],
        [2],
    ]


def test_sign_magnitude_slices_are_planes_of_pairs():
    scheme = make_scheme(LayerMappingConfig(slicing=SignMagnitude(bits_per_cell=2)), 5, macro())
    assert scheme.coefficients == (1, 4)
    assert scheme.encode(torch.tensor([[-11]])).tolist() == [[0, 3, 0, 2]]


def test_twos_complement_counts_its_sign_below_zero():
    scheme = make_scheme(LayerMappingConfig(slicing=TwosComplement(bits_per_cell=2)), 5, macro())
    assert scheme.coefficients == (1, 4, -16)
    digits = TwosComplement(bits_per_cell=2).cut(torch.tensor([-11], dtype=torch.int32), 5).digits
    assert digits.flatten().tolist() == [1, 1, 1]


def test_the_usual_scheme_is_what_the_macro_is_made_for():
    first = make_scheme(LayerMappingConfig(), 4, load_system("tsinghua_c200").macro)
    assert (first.encoding, first.slicing, first.pairing) == (DifferentialPair(), Whole(), "rows")
    assert isinstance(first.input_mode, BitSerial)
    assert first.level_step == pytest.approx(2.737e-6, rel=1e-3)
    isaac = make_scheme(LayerMappingConfig(), 16, load_system("isaac").macro)
    assert (isaac.encoding, isaac.slicing) == (OffsetColumn(), TwosComplement(bits_per_cell=2))
    assert len(isaac.coefficients) == 9


@pytest.mark.parametrize(
    ("config", "bits", "overrides", "message"),
    [
        ({}, 8, {"crossbar.cell.num_levels": 8, "pairing": "rows"}, None),
        ({"slicing": Whole()}, 8, {"crossbar.cell.num_levels": 8}, "need 128 levels, cells have 8"),
        (
            {"encoding": OffsetColumn(), "slicing": Whole()},
            4,
            {"crossbar.cell.num_levels": 8},
            "need 15 levels",
        ),
        ({"slicing": SignMagnitude(bits_per_cell=4)}, 8, {"crossbar.cell.num_levels": 15}, "need 16 levels"),
        ({"slicing": SignMagnitude(bits_per_cell=4)}, 8, {"crossbar.cell.num_levels": 16}, None),
        ({"input_mode": MultiLevel()}, 4, {"input_modes": [{"kind": "pulse"}]}, "do pulse, not multi_level"),
        ({"input_mode": MultiLevel()}, 4, {"dac.bits": 1}, "multi_level needs drivers of any level"),
        ({"input_mode": BitSerial(bits_per_pulse=2)}, 4, {"dac.bits": 1}, "carry 1 bits a pulse, not 2"),
        ({"input_mode": BitSerial(bits_per_pulse=2)}, 4, {"dac.bits": 2}, None),
        ({"input_mode": Pulse()}, 4, {"dac.bits": 1}, None),
    ],
)
def test_choices_that_the_hardware_cannot_do_are_refused(config, bits, overrides, message):
    if message is None:
        make_scheme(LayerMappingConfig(**config), bits, macro(**overrides))
        return
    with pytest.raises(ConfigError, match=message):
        make_scheme(LayerMappingConfig(**config), bits, macro(**overrides))


def test_levels_fill_the_window_of_the_cell():
    for num_levels, expected in ((None, 1e-4 / 7), (16, 1e-4 / 15)):
        scheme = make_scheme(LayerMappingConfig(), 4, macro(**{"crossbar.cell.num_levels": num_levels}))
        assert scheme.level_step == pytest.approx(expected)
