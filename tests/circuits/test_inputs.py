"""Input expansion: what the drivers put out adds up to the codes."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_macro import slow_inputs

from crossloom.circuits import cycle_weights, expand
from crossloom.hardware import DenseCodes, InputFormat, WindowedCodes
from crossloom.spec import BitSerial, DacSpec, MultiLevel, Pulse
from crossloom.testing.strategies import input_modes
from crossloom.windows import Window

SETTINGS = settings(max_examples=60, deadline=None)
formats = st.builds(InputFormat, input_modes(), st.integers(2, 9), st.booleans())


def codes_for(inputs: InputFormat, *shape: int, seed: int = 0) -> torch.Tensor:
    lowest = -inputs.largest if inputs.is_signed else 0
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(lowest, inputs.largest + 1, shape, generator=generator).float()


def cycles_of(values: torch.Tensor, inputs: InputFormat, dac: DacSpec) -> tuple[torch.Tensor, torch.Tensor]:
    """Values [vector, cycle, input] and weights."""
    cycles = expand(DenseCodes(values, len(values)), inputs, dac)
    return cycles.codes.values.unflatten(0, (len(values), -1)), cycles.weights


@SETTINGS
@given(formats, st.booleans(), st.integers(1, 6), st.integers(0, 2**20))
def test_cycles_add_up_to_the_codes(inputs, is_dac_signed, num_inputs, seed):
    values = codes_for(inputs, 5, num_inputs, seed=seed)
    values[0, 0], values[1, 0] = inputs.largest, -inputs.largest * inputs.is_signed
    carried, weights = cycles_of(values, inputs, DacSpec(is_signed=is_dac_signed))
    assert torch.equal((carried * weights.view(1, -1, 1)).sum(1), values)


@SETTINGS
@given(formats, st.booleans(), st.integers(1, 6), st.integers(0, 2**20))
def test_cycles_are_those_that_a_driver_would_count_out(inputs, is_dac_signed, num_inputs, seed):
    values = codes_for(inputs, 3, num_inputs, seed=seed)
    carried, weights = cycles_of(values, inputs, DacSpec(is_signed=is_dac_signed))
    for vector, found in zip(values.int().tolist(), carried, strict=True):
        expected, slow_weights = slow_inputs(vector, inputs, is_dac_signed)
        assert torch.equal(found.double(), expected)
        assert torch.equal(weights.double(), slow_weights)


@SETTINGS
@given(formats, st.booleans())
def test_the_number_of_cycles_is_known_beforehand(inputs, is_dac_signed):
    dac = DacSpec(is_signed=is_dac_signed)
    _, weights = cycles_of(codes_for(inputs, 2, 3), inputs, dac)
    assert len(weights) == inputs.num_cycles(dac)
    assert torch.equal(weights, cycle_weights(inputs, dac))


@SETTINGS
@given(formats, st.booleans())
def test_no_cycle_carries_more_than_a_pulse_can(inputs, is_dac_signed):
    carried, _ = cycles_of(codes_for(inputs, 20, 4), inputs, DacSpec(is_signed=is_dac_signed))
    largest = {"bit_serial": 1, "pulse": 1, "multi_level": inputs.largest}[inputs.mode.kind]
    if isinstance(inputs.mode, BitSerial):
        largest = 2**inputs.mode.bits_per_pulse - 1
    assert carried.abs().max() <= largest
    assert is_dac_signed or carried.min() >= 0


def test_a_rotated_train_starts_where_the_one_above_ended():
    inputs = InputFormat(Pulse(is_rotated=True), 3, True)
    carried, _ = cycles_of(torch.tensor([[2.0, -3.0, 1.0]]), inputs, DacSpec(is_signed=True))
    assert carried[0].T.tolist() == [[1, 1, 0], [-1, -1, -1], [0, 0, 1]]


def test_rotation_spreads_the_load_over_the_cycles():
    values = torch.full((1, 70), 1.0)
    loads = {}
    for is_rotated in (True, False):
        inputs = InputFormat(Pulse(is_rotated=is_rotated), 4, True)
        carried, _ = cycles_of(values, inputs, DacSpec(is_signed=True))
        loads[is_rotated] = carried[0].sum(1).tolist()
    assert loads == {True: [10.0] * 7, False: [70.0, *[0.0] * 6]}


@pytest.mark.parametrize("mode", [BitSerial(), BitSerial(bits_per_pulse=2), Pulse(), MultiLevel()])
def test_windowed_codes_expand_to_what_dense_ones_do(mode):
    inputs, dac = InputFormat(mode, 4, True), DacSpec(is_signed=True)
    window = Window((2, 3), (2, 1), (1, 0), (1, 2))
    images = WindowedCodes(codes_for(inputs, 2, 3, 5, 6), 2, window)
    windowed, dense = expand(images, inputs, dac), expand(images.dense(), inputs, dac)
    laid_out = windowed.codes.dense() if isinstance(windowed.codes, WindowedCodes) else windowed.codes
    assert torch.equal(laid_out.values, dense.codes.values)
    assert torch.equal(windowed.weights, dense.weights)


def test_codes_of_16_bits_are_split_exactly():
    inputs = InputFormat(BitSerial(), 16, False)
    values = torch.tensor([[65535.0, 32768.0, 1.0, 0.0]])
    carried, weights = cycles_of(values, inputs, DacSpec(is_signed=False))
    assert torch.equal((carried * weights.view(1, -1, 1)).sum(1), values)
    assert len(weights) == 16
