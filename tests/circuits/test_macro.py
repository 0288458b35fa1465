"""The macro function does what its slow twin does, one cell and one read at a time."""

import pytest
import torch
from slow_macro import slow_mvm

from crossloom.circuits import EffectiveArray, convert, count_codes, effective_array, macro_function
from crossloom.hardware import DenseCodes, InputFormat, WindowedCodes, Wiring
from crossloom.spec import BitSerial, DacSpec, MultiLevel, Pulse, ReadoutSpec
from crossloom.windows import Window

NUM_DRAWS = 20_000
STEP = 2e-6
MODES = [
    BitSerial(),
    BitSerial(bits_per_pulse=2),
    Pulse(is_rotated=True),
    Pulse(is_rotated=False),
    MultiLevel(),
]
WIRINGS = [Wiring(pairing, copies) for pairing in ("rows", "columns", "none") for copies in (1, 2)]


def standard_normal(seed: int):
    generator = torch.Generator().manual_seed(seed)
    return lambda shape: torch.randn(shape, generator=generator)


def cells_for(wiring: Wiring, num_inputs: int, num_outputs: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    shape = (num_inputs * wiring.rows_per_input, num_outputs * wiring.columns_per_output)
    return 1e-6 + 1e-5 * torch.rand(shape, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("wiring", WIRINGS, ids=lambda wiring: f"{wiring.pairing} x{wiring.row_copies}")
@pytest.mark.parametrize("mode", [MODES[0], MODES[1], MODES[2], MODES[4]], ids=lambda mode: mode.kind)
@pytest.mark.parametrize(
    ("is_dac_signed", "bits"), [(True, 6), (False, 6), (True, None)], ids=["signed", "unsigned", "ideal"]
)
def test_read_noise_is_the_exact_distribution_of_the_outputs(mode, wiring, is_dac_signed, bits):
    """20,000 draws of two outputs against a twin that draws every cell at every read; 5 sigma."""
    vector = [3, -2, 1]
    inputs, readout = InputFormat(mode, 3, True), ReadoutSpec(bits=bits)
    cells = cells_for(wiring, len(vector), 2)
    noise = 3e-7 + 0.05 * cells
    gain = torch.tensor([0.9, 1.3], dtype=torch.float64)
    array = effective_array(cells, noise, wiring, STEP)
    function = macro_function(array, gain, None, inputs, DacSpec(is_signed=is_dac_signed), readout)
    repeated = torch.tensor(vector).float().expand(NUM_DRAWS, -1)
    fast = function(DenseCodes(repeated, NUM_DRAWS), standard_normal(1)).sums.double()
    generator = torch.Generator().manual_seed(2)
    slow = slow_mvm(
        cells,
        noise,
        vector,
        inputs,
        is_dac_signed,
        wiring,
        STEP,
        gain,
        readout.code_range,
        NUM_DRAWS,
        generator,
    )
    deviation = slow.std(0)
    assert (deviation > 0.01).all()
    assert ((fast.mean(0) - slow.mean(0)).abs() < 5 * deviation * (2 / NUM_DRAWS) ** 0.5).all()
    fourth = ((slow - slow.mean(0)) / deviation).pow(4).mean(0)
    slack = 5 * (2 * (fourth - 1) / NUM_DRAWS).sqrt()
    assert ((fast.var(0) / slow.var(0) - 1).abs() < slack).all()
    assert abs(torch.corrcoef(fast.T)[0, 1].item()) < 5 / NUM_DRAWS**0.5


@pytest.mark.parametrize("wiring", WIRINGS, ids=lambda wiring: f"{wiring.pairing} x{wiring.row_copies}")
@pytest.mark.parametrize("mode", MODES, ids=str)
@pytest.mark.parametrize("is_dac_signed", [True, False])
def test_without_noise_the_answer_is_the_twins(mode, wiring, is_dac_signed):
    inputs, readout = InputFormat(mode, 4, True), ReadoutSpec(bits=5)
    cells, gain = cells_for(wiring, 3, 2), torch.tensor([0.51, 0.27], dtype=torch.float64)
    array = effective_array(cells, None, wiring, STEP)
    function = macro_function(array, gain, None, inputs, DacSpec(is_signed=is_dac_signed), readout)
    for vector in ([7, -7, 3], [-1, 0, 2], [0, 0, 0], [-7, -7, -7]):
        fast = function(DenseCodes(torch.tensor([vector]).float(), 1)).sums
        generator = torch.Generator()
        slow = slow_mvm(
            cells,
            torch.zeros_like(cells),
            vector,
            inputs,
            is_dac_signed,
            wiring,
            STEP,
            gain,
            readout.code_range,
            1,
            generator,
        )
        assert torch.equal(fast.double(), slow)


@pytest.mark.parametrize("mode", MODES, ids=str)
@pytest.mark.parametrize("bits", [None, 8])
@pytest.mark.parametrize("has_shared_noise", [True, False])
def test_windowed_and_dense_codes_meet_the_same_noise(mode, bits, has_shared_noise):
    """With a noise of one everywhere, the answer is the mean plus one deviation."""
    window = Window((2, 2), (1, 1), (1, 0), (1, 1))
    generator = torch.Generator().manual_seed(0)
    codes = WindowedCodes(torch.randint(-3, 4, (2, 3, 4, 5), generator=generator).float(), 2, window)
    matrix = torch.randn(12, 4, generator=generator)
    variance = torch.full((12, 4), 0.5) if has_shared_noise else torch.rand(12, 4, generator=generator)
    function = macro_function(
        EffectiveArray(matrix, variance),
        torch.ones(4),
        None,
        InputFormat(mode, 3, True),
        DacSpec(is_signed=True),
        ReadoutSpec(bits=bits),
    )
    windowed = function(codes, torch.ones).sums
    dense = function(codes.dense(), torch.ones).sums
    torch.testing.assert_close(windowed, dense, rtol=1e-5, atol=1e-4)
    assert not torch.allclose(windowed, function(codes).sums)


def test_the_deviation_of_one_conversion_is_the_root_of_the_sum_of_squares():
    variance = torch.tensor([[1.0, 4.0], [9.0, 16.0], [0.0, 0.0]])
    function = macro_function(
        EffectiveArray(torch.zeros(3, 2), variance),
        torch.tensor([1.0, 2.0]),
        None,
        InputFormat(MultiLevel(), 4, True),
        DacSpec(is_signed=True),
        ReadoutSpec(),
    )
    sums = function(DenseCodes(torch.tensor([[2.0, -1.0, 5.0]]), 1), torch.ones).sums
    torch.testing.assert_close(sums, torch.tensor([[13.0**0.5, 2 * 32.0**0.5]]))


def test_offset_and_gain_of_every_column_act_before_the_code():
    matrix = torch.tensor([[3.0, 3.0, 3.0], [1.0, 1.0, 1.0]])
    gain, offset = torch.tensor([1.0, 0.5, 1.0]), torch.tensor([0.0, 0.0, 2.4])
    function = macro_function(
        EffectiveArray(matrix),
        gain,
        offset,
        InputFormat(MultiLevel(), 4, True),
        DacSpec(is_signed=True),
        ReadoutSpec(bits=4),
    )
    sums = function(DenseCodes(torch.tensor([[1.0, 1.0], [-2.0, 1.0]]), 2)).sums
    assert sums.tolist() == [[4.0, 2.0, 6.0], [-5.0, -2.0, -3.0]]


@pytest.mark.parametrize("is_dac_signed", [True, False])
@pytest.mark.parametrize("mode", MODES, ids=str)
def test_an_offset_comes_with_every_conversion_of_an_ideal_converter_too(mode, is_dac_signed):
    """A converter so fine that it rounds nothing gives what the ideal one does."""
    inputs, dac = InputFormat(mode, 4, True), DacSpec(is_signed=is_dac_signed)
    matrix, offset = torch.randint(-3, 4, (5, 2)).double(), torch.tensor([1.0, -2.0]).double()
    codes = DenseCodes(torch.randint(-7, 8, (6, 5)).float(), 6)
    answers = [
        macro_function(EffectiveArray(matrix), torch.ones(2), offset, inputs, dac, ReadoutSpec(bits=bits))(
            codes
        ).sums
        for bits in (None, 30)
    ]
    assert torch.equal(answers[0].double(), answers[1].double())


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_gradients_pass_straight_through_rounding(mode):
    """Where no code clips, the gradient of the matrix is that of the plain product."""
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(4, 3, generator=generator, requires_grad=True)
    values = torch.randint(-7, 8, (5, 4), generator=generator).float()
    function = macro_function(
        EffectiveArray(matrix),
        torch.full((3,), 2.0),
        None,
        InputFormat(mode, 4, True),
        DacSpec(is_signed=True),
        ReadoutSpec(bits=12),
    )
    sums = function(DenseCodes(values, 5)).sums
    towards = torch.randn(5, 3, generator=generator)
    (sums * towards).sum().backward()
    torch.testing.assert_close(matrix.grad, 2.0 * values.T @ towards)


def test_no_gradient_passes_a_code_that_clips():
    matrix = torch.tensor([[10.0, 1.0]], requires_grad=True)
    function = macro_function(
        EffectiveArray(matrix),
        torch.ones(2),
        None,
        InputFormat(MultiLevel(), 4, True),
        DacSpec(is_signed=True),
        ReadoutSpec(bits=4),
    )
    function(DenseCodes(torch.tensor([[3.0]]), 1)).sums.sum().backward()
    assert matrix.grad.tolist() == [[0.0, 3.0]]


def test_gradients_reach_inputs_and_offsets():
    values, offset = torch.tensor([[1.0, 2.0]], requires_grad=True), torch.zeros(1, requires_grad=True)
    function = macro_function(
        EffectiveArray(torch.tensor([[2.0], [0.5]])),
        torch.ones(1),
        offset,
        InputFormat(MultiLevel(), 4, True),
        DacSpec(is_signed=True),
        ReadoutSpec(bits=8),
    )
    function(DenseCodes(values, 1)).sums.sum().backward()
    assert values.grad.tolist() == [[2.0, 0.5]]
    assert offset.grad.tolist() == [1.0]


def test_gradients_of_noise_stay_finite_where_there_is_none():
    matrix = torch.tensor([[1.0], [2.0]], requires_grad=True)
    array = EffectiveArray(matrix, 0.01 * matrix.square())
    for bits in (None, 8):
        function = macro_function(
            array,
            torch.ones(1),
            None,
            InputFormat(BitSerial(), 4, True),
            DacSpec(is_signed=True),
            ReadoutSpec(bits=bits),
        )
        matrix.grad = None
        function(DenseCodes(torch.zeros(2, 2), 2), torch.ones).sums.sum().backward(retain_graph=True)
        assert torch.isfinite(matrix.grad).all()


@pytest.mark.parametrize("bits", [None, 32])
def test_integers_beyond_what_float32_holds_stay_exact(bits):
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randint(-127, 128, (300, 4), generator=generator).double()
    values = torch.randint(-127, 128, (6, 300), generator=generator).float()
    matrix[:, 0], values[0] = 127, 127
    function = macro_function(
        EffectiveArray(matrix * 9),
        torch.ones(4),
        None,
        InputFormat(MultiLevel(), 8, True),
        DacSpec(is_signed=True),
        ReadoutSpec(bits=bits),
    )
    exact = values.long() @ (matrix.long() * 9)
    assert exact.abs().max() > 2**24
    assert torch.equal(function(DenseCodes(values, 6)).sums.long(), exact)


def test_sums_over_cycles_beyond_what_float32_holds_stay_exact():
    """16 cycles of codes near 2^23 add up to more than 2^24 can tell apart."""
    matrix = torch.tensor([[8_000_001.0]], dtype=torch.float64)
    function = macro_function(
        EffectiveArray(matrix),
        torch.ones(1),
        None,
        InputFormat(BitSerial(), 16, False),
        DacSpec(is_signed=False),
        ReadoutSpec(bits=25),
    )
    assert function(DenseCodes(torch.tensor([[65535.0]]), 1)).sums.item() == 65535 * 8_000_001


def test_codes_are_rounded_and_clipped():
    sums = torch.tensor([-99.0, -8.4, -0.5, 0.4, 0.6, 6.6, 7.4, 99.0])
    assert convert(sums.clone(), (-8, 7)).tolist() == [-8, -8, 0, 0, 1, 7, 7, 7]
    assert convert(sums.clone(), (0, 7)).tolist() == [0, 0, 0, 0, 1, 7, 7, 7]
    assert torch.equal(convert(sums, None), sums)


def test_codes_are_counted_one_by_one():
    counts = count_codes(torch.tensor([[-8.0, 7.0], [7.0, 0.0]]), (-8, 7))
    assert counts.lowest == -8
    assert counts.counts.tolist() == [1, *[0] * 7, 1, *[0] * 6, 2]
    assert count_codes(torch.zeros(3), None) is None
