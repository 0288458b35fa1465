"""Vectors that go through a macro block by block get the answers that they would get all at once."""

import pytest
import torch

from crossloom.circuits import EffectiveArray, MacroFunction, count_codes, macro_function
from crossloom.circuits.blocks import blocks
from crossloom.hardware import Codes, DenseCodes, InputFormat, WindowedCodes
from crossloom.spec import BitSerial, DacSpec, MultiLevel, Pulse, ReadoutSpec
from crossloom.windows import Window

MODES = [BitSerial(), BitSerial(bits_per_pulse=2), Pulse(), MultiLevel()]
WINDOW = Window((2, 2), (1, 2), (1, 0), (1, 1))
GENERATOR = torch.Generator()


def integers(*shape: int) -> torch.Tensor:
    return torch.randint(-7, 8, shape, generator=GENERATOR.manual_seed(0)).float()


def codes_of(kind: str, num_vectors: int = 7) -> Codes:
    if kind == "dense":
        return DenseCodes(integers(num_vectors, 12), num_vectors)
    return WindowedCodes(integers(num_vectors, 3, 5, 6), num_vectors, WINDOW)


def function_for(mode, matrix: torch.Tensor, variance: torch.Tensor | None = None) -> MacroFunction:
    array = EffectiveArray(matrix, variance)
    gain = torch.full((matrix.shape[1],), 0.25)
    inputs, dac = InputFormat(mode, 4, True), DacSpec(is_signed=True)
    return macro_function(array, gain, None, inputs, dac, ReadoutSpec(bits=5))


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of so few numbers that 7 vectors make at least two."""

    def shrink(numbers: int = 40) -> None:
        monkeypatch.setattr("crossloom.circuits.blocks._LARGEST", numbers)

    return shrink


@pytest.mark.parametrize("mode", MODES, ids=str)
@pytest.mark.parametrize("kind", ["dense", "windowed"])
@pytest.mark.parametrize("is_noisy", [False, True])
def test_blocks_do_not_change_sums_counts_or_noise(mode, kind, is_noisy, small_blocks):
    """Sizes of noise are recorded: it is drawn once, for all vectors and cycles."""
    codes, matrix = codes_of(kind), integers(12, 4)
    function, drawn = function_for(mode, matrix, torch.ones(12, 4)), []

    def noise(shape):
        drawn.append(shape)
        return torch.randn(shape, generator=GENERATOR.manual_seed(1))

    whole = function(codes, noise if is_noisy else None, with_counts=True)
    small_blocks()
    assert len(blocks(codes, function.inputs.num_cycles(function.dac), 4)) > 1
    parts = function(codes, noise if is_noisy else None, with_counts=True)
    assert torch.equal(parts.sums, whole.sums)
    assert whole.codes is not None
    assert parts.codes is not None
    assert torch.equal(parts.codes.counts, whole.codes.counts)
    assert drawn == drawn[:1] * 2 * is_noisy


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_windows_and_vectors_of_integers_give_the_same_codes_exactly(mode):
    codes, function = codes_of("windowed"), function_for(mode, integers(12, 4))
    assert isinstance(codes, WindowedCodes)
    assert torch.equal(function(codes).sums, function(codes.dense()).sums)


def test_blocks_are_few_of_one_size_and_keep_the_order(small_blocks):
    small_blocks(100)
    codes = DenseCodes(torch.arange(20.0).view(10, 2), 10)
    parts = blocks(codes, 3, 4)
    assert [len(part.values) for part in parts] == [5, 5]
    assert torch.equal(torch.cat([part.values for part in parts]), codes.values)
    small_blocks(5)
    assert [len(part.values) for part in blocks(codes, 3, 4)] == [1] * 10


@pytest.mark.parametrize("numbers", [2**20, 40])
@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
def test_answers_lie_in_memory_as_codes_do(numbers, order, small_blocks):
    small_blocks(numbers)
    codes, function = codes_of("windowed"), function_for(BitSerial(), integers(12, 4))
    answer = function(codes.with_values(codes.values.contiguous(memory_format=order))).sums
    assert answer.is_contiguous(memory_format=order)
    assert torch.equal(answer, function(codes).sums)


def test_gradients_go_through_blocks(small_blocks):
    matrix, codes = integers(12, 4).requires_grad_(), codes_of("windowed")

    def gradient() -> torch.Tensor:
        function_for(BitSerial(), matrix)(codes).sums.square().sum().backward()
        assert matrix.grad is not None
        found, matrix.grad = matrix.grad, None
        return found

    whole = gradient()
    small_blocks()
    assert whole.any()
    torch.testing.assert_close(gradient(), whole)


def test_no_vectors_give_no_answers():
    function = function_for(BitSerial(), integers(12, 4))
    reading = function(DenseCodes(torch.zeros(0, 12), 0), with_counts=True)
    assert reading.sums.shape == (0, 4)
    assert reading.codes is not None
    assert reading.codes.counts.sum() == 0


@pytest.mark.parametrize("highest", [7, 300])
def test_codes_are_counted_in_whatever_order_they_lie(highest):
    codes = torch.randint(-8, highest + 1, (3, 4, 5, 6), generator=GENERATOR.manual_seed(0)).float()
    counted = [count_codes(codes.contiguous(memory_format=order), (-8, highest)) for order in
               (torch.contiguous_format, torch.channels_last)]  # fmt: skip
    expected = [(codes == code).sum().item() for code in range(-8, highest + 1)]
    assert [found.counts.tolist() for found in counted if found is not None] == [expected] * 2
