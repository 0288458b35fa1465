"""What drivers put on the rows enters the product exactly, code by code and row by row."""

import pytest
import torch
from slow_macro import slow_inputs

from crossloom.circuits import (
    EffectiveArray,
    draw_drivers,
    effective_array,
    macro_function,
    make_drivers,
    wiring_of_rows,
)
from crossloom.hardware import DenseCodes, InputFormat, WindowedCodes, Wiring
from crossloom.spec import BitSerial, DacSpec, MultiLevel, Pulse, ReadoutSpec
from crossloom.windows import Window

STEP = 2e-6
CURVE = (0.0, 0.4, -0.3, 0.2)
MODES = [BitSerial(), BitSerial(bits_per_pulse=3), Pulse(), MultiLevel()]
WIRINGS = [Wiring(pairing, copies) for pairing in ("rows", "columns", "none") for copies in (1, 2)]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def slow_driven(code: float, top: int, curve: tuple[float, ...], own: torch.Tensor | None) -> float:
    """What one driver puts out for one pulse: the code, the curve at its magnitude, and what is its own."""
    size = round(abs(code))
    place = size / top * (len(curve) - 1)
    left = min(int(place), len(curve) - 2)
    error = curve[left] + (curve[left + 1] - curve[left]) * (place - left)
    error += 0.0 if own is None else own[size].item()
    return code + error * (code > 0) - error * (code < 0)


def slow_product(cells, vector, inputs, dac, wiring, own) -> torch.Tensor:
    """One row, one cycle at a time."""
    values, weights = slow_inputs(vector, inputs, dac.is_signed)
    top = 2**dac.bits - 1
    answer = 0
    for carried, weight in zip(values.tolist(), weights.tolist(), strict=True):
        codes = []
        for value in carried:
            codes += ([value, -value] if wiring.pairing == "rows" else [value]) * wiring.row_copies
        rows = [
            slow_driven(code, top, dac.nonlinearity or (0.0, 0.0), None if own is None else own[row])
            for row, code in enumerate(codes)
        ]
        currents = torch.tensor(rows, dtype=torch.float64) @ cells / STEP
        answer = answer + weight * (
            currents[0::2] - currents[1::2] if wiring.pairing == "columns" else currents
        )
    return answer


@pytest.mark.parametrize("wiring", WIRINGS, ids=lambda wiring: f"{wiring.pairing} x{wiring.row_copies}")
@pytest.mark.parametrize("mode", MODES, ids=str)
@pytest.mark.parametrize("is_signed", [True, False])
@pytest.mark.parametrize("level_error", [None, 0.2])
@pytest.mark.parametrize("bits", [None, 24])
def test_the_product_is_the_twins_row_by_row(mode, wiring, is_signed, level_error, bits):
    inputs = InputFormat(mode, 4, True)
    dac = DacSpec(bits=3, is_signed=is_signed, nonlinearity=CURVE, level_error=level_error)
    shape = (4 * wiring.rows_per_input, 2 * wiring.columns_per_output)
    cells = 1e-5 * torch.rand(shape, generator=generator(), dtype=torch.float64)
    own = draw_drivers(dac, shape[0], generator(1))
    drivers = None if own is None else make_drivers(dac, inputs, own, wiring)
    array = effective_array(cells, None, wiring if own is None else wiring_of_rows(wiring), STEP)
    gain = 2.0**10 if bits else 1.0
    function = macro_function(
        array, torch.full((2,), gain), None, inputs, dac, ReadoutSpec(bits=bits), drivers=drivers
    )
    for vector in ([7, -7, 3, 0], [-1, 0, 2, 5]):
        fast = function(DenseCodes(torch.tensor([vector]).float(), 1)).sums[0].double() / gain
        slow = slow_product(cells, vector, inputs, dac, wiring, own)
        slack = 1e-2 if bits else 1e-4
        torch.testing.assert_close(fast, slow, rtol=0, atol=slack)


@pytest.mark.parametrize("level_error", [None, 0.2])
@pytest.mark.parametrize("mode", MODES, ids=str)
@pytest.mark.parametrize("pairing", ["rows", "none"])
@pytest.mark.parametrize("bits", [None, 12])
def test_windowed_and_dense_codes_are_driven_alike(mode, pairing, level_error, bits):
    """Read noise included, all of it one deviation up."""
    window, wiring = Window((2, 2), (1, 1), (1, 0), (1, 1)), Wiring(pairing)
    inputs = InputFormat(mode, 4, True)
    dac = DacSpec(bits=3, is_signed=True, nonlinearity=CURVE, level_error=level_error)
    codes = WindowedCodes(torch.randint(-7, 8, (2, 3, 4, 5), generator=generator()).float(), 2, window)
    rows = 12 * wiring.rows_per_input
    cells = 1e-5 * torch.rand(rows, 4, generator=generator(1), dtype=torch.float64)
    own = draw_drivers(dac, rows, generator(2))
    drivers = None if own is None else make_drivers(dac, inputs, own, wiring)
    array = effective_array(cells, 0.1 * cells, wiring if own is None else wiring_of_rows(wiring), STEP)
    function = macro_function(
        array, torch.ones(4), None, inputs, dac, ReadoutSpec(bits=bits), drivers=drivers
    )
    windowed, dense = function(codes, torch.ones).sums, function(codes.dense(), torch.ones).sums
    torch.testing.assert_close(windowed, dense, rtol=1e-4, atol=1e-3)
    plain = macro_function(
        effective_array(cells, None, wiring, STEP),
        torch.ones(4),
        None,
        inputs,
        DacSpec(bits=3, is_signed=True),
        ReadoutSpec(bits=bits),
    )
    assert not torch.allclose(function(codes).sums, plain(codes).sums, atol=0.1)


def test_read_noise_grows_with_what_is_driven_not_with_the_code():
    dac = DacSpec(bits=2, is_signed=True, nonlinearity=(0.0, 0.0, 0.0, 1.0))
    array = EffectiveArray(torch.zeros(2, 1), torch.tensor([[4.0], [9.0]]))
    function = macro_function(
        array, torch.ones(1), None, InputFormat(MultiLevel(), 3, True), dac, ReadoutSpec()
    )
    sums = function(DenseCodes(torch.tensor([[3.0, -1.0]]), 1), torch.ones).sums
    torch.testing.assert_close(sums, torch.tensor([[(16 * 4.0 + 9.0) ** 0.5]]))


def test_for_one_bit_pulses_the_nonlinearity_is_a_gain():
    """Every pulse of 1.1 steps: sums a tenth larger, in bit-serial and pulse mode."""
    matrix = torch.randint(-4, 5, (6, 3), generator=generator()).double()
    codes = DenseCodes(torch.randint(-7, 8, (20, 6), generator=generator()).float(), 20)
    for mode in (BitSerial(), Pulse()):
        inputs = InputFormat(mode, 4, True)
        answers = [
            macro_function(EffectiveArray(matrix), torch.ones(3), None, inputs, dac, ReadoutSpec(bits=None))(
                codes
            ).sums.double()
            for dac in (DacSpec(bits=1, is_signed=True, nonlinearity=(0, 0.1)), DacSpec(is_signed=True))
        ]
        torch.testing.assert_close(answers[0], 1.1 * answers[1], rtol=1e-5, atol=1e-4)


def test_without_bits_the_curve_ends_at_the_largest_code_of_the_format():
    dac = DacSpec(is_signed=True, nonlinearity=(0.0, 1.0))
    for mode, largest in (
        (MultiLevel(), 7),
        (BitSerial(), 1),
        (BitSerial(bits_per_pulse=2), 3),
        (Pulse(), 1),
    ):
        errors = make_drivers(dac, InputFormat(mode, 4, True)).errors
        assert errors.shape == (1, largest + 1)
        assert (errors[0, 0], errors[0, -1]) == (0.0, 1.0)


def test_a_row_without_a_pulse_is_at_rest():
    drivers = make_drivers(
        DacSpec(bits=3, is_signed=True, level_error=0.3, nonlinearity=CURVE),
        InputFormat(MultiLevel(), 4, True),
        draw_drivers(DacSpec(bits=3, is_signed=True, level_error=0.3), 5, generator()),
        Wiring("none"),
    )
    driven = drivers.drive(DenseCodes(torch.tensor([[0.0, 1.0, 0.0, -2.0, 0.0]]), 1)).values
    assert (driven != 0).tolist() == [[False, True, False, True, False]]


def test_levels_of_drivers_spread_as_asked():
    """5,000 drivers of 15 levels; 5 sigma of a standard deviation."""
    drawn = draw_drivers(DacSpec(bits=4, is_signed=True, level_error=0.25), 5000, generator(7))
    assert drawn.shape == (5000, 16)
    assert (drawn[:, 0] == 0).all()
    assert abs(drawn[:, 1:].std().item() / 0.25 - 1) < 5 / (2 * 75_000) ** 0.5


def test_drivers_that_do_as_told_are_none():
    inputs = InputFormat(MultiLevel(), 4, True)
    for dac in (DacSpec(is_signed=True), DacSpec(is_signed=True, nonlinearity=(0, 0), level_error=0.0)):
        assert make_drivers(dac, inputs) is None
        assert draw_drivers(dac, 4, generator()) is None


def test_gradients_pass_straight_through_drivers():
    values = torch.tensor([[3.0, -2.0]], requires_grad=True)
    drivers = make_drivers(
        DacSpec(bits=3, is_signed=True, nonlinearity=CURVE), InputFormat(MultiLevel(), 4, True)
    )
    drivers.drive(DenseCodes(values, 1)).values.sum().backward()
    assert values.grad.tolist() == [[1.0, 1.0]]
