"""What drives rows, counted fast, equals what the drivers put out."""

from itertools import product

import pytest
import torch

from crossloom.circuits import expand
from crossloom.hardware import DenseCodes, InputFormat, WindowedCodes
from crossloom.runtime import ActivityMeter
from crossloom.spec import BitSerial, DacSpec, MultiLevel, Pulse
from crossloom.windows import Window

MODES = [BitSerial(), BitSerial(bits_per_pulse=2), BitSerial(bits_per_pulse=3), Pulse(), MultiLevel()]


def codes_of(inputs: InputFormat, *shape: int) -> torch.Tensor:
    low = -inputs.largest if inputs.is_signed else 0
    return torch.randint(low, inputs.largest + 1, shape, generator=torch.Generator().manual_seed(3)).float()


def slow(codes, inputs, dac):
    """Every cycle of every vector, laid out."""
    dense = codes.dense() if isinstance(codes, WindowedCodes) else codes
    steps = expand(dense, inputs, dac).codes.values.double().movedim(1, 0).flatten(1)
    return steps.square().sum(1), (steps != 0).double().sum(1)


@pytest.mark.parametrize(
    ("mode", "bits", "is_signed", "dac_is_signed"), product(MODES, (3, 4, 8), (True, False), (True, False))
)
def test_activity_is_that_of_the_expanded_codes(mode, bits, is_signed, dac_is_signed):
    inputs, dac = InputFormat(mode, bits, is_signed), DacSpec(is_signed=dac_is_signed)
    for codes in (
        DenseCodes(codes_of(inputs, 70, 11), 70),
        DenseCodes(codes_of(inputs, 300, 16), 300),  # lanes of eight
        WindowedCodes(codes_of(inputs, 9, 2, 8, 6), 9, Window((3, 2), (2, 1), (1, 0), (1, 2))),
    ):
        meter = ActivityMeter(inputs, dac)
        meter.add(codes)
        meter.add(codes)
        found, (squares, drives) = meter.activity(), slow(codes, inputs, dac)
        assert torch.equal(found.squares, 2 * squares)
        assert torch.equal(found.drives, 2 * drives)


@pytest.mark.parametrize("mode", [BitSerial(), MultiLevel()])
def test_sixteen_bits_are_counted_exactly(mode):
    inputs, dac = InputFormat(mode, 16, True), DacSpec(is_signed=False)
    codes = DenseCodes(codes_of(inputs, 64, 8), 64)
    meter = ActivityMeter(inputs, dac)
    meter.add(codes)
    assert torch.equal(meter.activity().squares, slow(codes, inputs, dac)[0])


def test_zeros_drive_nothing():
    meter = ActivityMeter(InputFormat(Pulse(), 4, True), DacSpec(is_signed=True))
    meter.add(DenseCodes(torch.zeros(5, 8), 5))
    assert not meter.activity().squares.any()
    assert not meter.activity().drives.any()


def test_images_of_several_sizes_add_up():
    inputs, dac = InputFormat(BitSerial(), 4, True), DacSpec(is_signed=True)
    window = Window((3,), (1,), (1,), (1,))
    parts = [WindowedCodes(codes_of(inputs, 4, 2, size), 4, window) for size in (5, 9)]
    meter = ActivityMeter(inputs, dac)
    for part in parts:
        meter.add(part)
    assert torch.equal(meter.activity().squares, sum(slow(part, inputs, dac)[0] for part in parts))
