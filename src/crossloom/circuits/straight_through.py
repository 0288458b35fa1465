"""A quantised product through the converters of a macro, with straight-through gradients: what training runs.

Forward it is the macro function itself, with the quantiser of the inputs before it and the steps after it:

    q = clamp(round(x / s_x)),   code_t = clamp(round(gain S_t + offset + noise)),   S_t = sum_i d_ti m_i,
    y = s_x s_w (sum_t c_t code_t) / gain,

with d_t the cycles of q and c_t their weights. Backward, rounding counts as the identity, clamping as what it is, and
an input code spreads over its cycles in proportion to their weights. Steps have the gradients of learned step size
quantisation (Esser et al., ICLR 2020): that of the converter is s_out = s_x s_w / gain.

The backward pass keeps codes of one byte and no sums before conversion: sum_v g mask S = <m, dm> by linearity.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from crossloom.circuits.gradients import gradient_of_codes, gradient_of_matrix, multiply
from crossloom.circuits.inputs import Cycles, expand
from crossloom.circuits.macro import add_up
from crossloom.hardware import Codes, DenseCodes, InputFormat, WindowedCodes
from crossloom.spec import DacSpec
from crossloom.windows import Window

_LARGEST_HALF = 30_000  # what half precision holds with room to spare
Disturb = Callable[[torch.Tensor, Codes], torch.Tensor]


@dataclass(frozen=True)
class TrainedProduct:
    """What does not change from call to call of a product that is trained.

    code_range: of the converters; None for ideal ones.  window, groups: of a convolution; None for vectors
    [vector, input, *positions].  is_quick: where a cycle clips, the matrix takes the share of the gradient that the
    inputs take, instead of a product of its own for every cycle: the same where nothing clips, and a third of the work.
    """

    inputs: InputFormat
    dac: DacSpec
    code_range: tuple[int, int] | None
    window: Window | None = None
    groups: int = 1
    is_quick: bool = False

    def __call__(
        self,
        values: torch.Tensor,
        matrix: torch.Tensor,
        input_step: torch.Tensor,
        weight_step: torch.Tensor,
        output_step: torch.Tensor | None = None,
        gain: torch.Tensor | None = None,
        offset: torch.Tensor | None = None,
        disturb: Disturb | None = None,
    ) -> torch.Tensor:
        """Products [vector, output, *positions] of `values` with `matrix` [output, input], in units of the steps.

        matrix: in levels, with whatever error it has.  input_step: [].  weight_step: [] or [output].  output_step: []:
        the step that `gain` (codes per level, [], float64) stands for; it takes the gradient of the gain. offset:
        [output], codes.  disturb: adds what every conversion draws anew to sums in codes, given the cycles.
        Gradients go to values, matrix and steps. Everything is computed in float32, whatever autocast says.
        """
        with torch.autocast(values.device.type, enabled=False):
            moved = (values.float(), matrix.float(), input_step, weight_step, output_step)
            return _Product.apply(*moved, gain, offset, disturb, self)  # type: ignore[return-value]

    def codes(self, values: torch.Tensor) -> Codes:
        """Values in the layout that drivers take."""
        if self.window is None:
            return DenseCodes(values, len(values))
        return WindowedCodes(values, len(values), self.window)

    def quantize(self, values: torch.Tensor, input_step: torch.Tensor) -> torch.Tensor:
        """Codes of values of any shape, as integers in a float tensor."""
        return (values / input_step).round_().clamp_(*self.input_range)

    @property
    def input_range(self) -> tuple[int, int]:
        return (-self.inputs.largest if self.inputs.is_signed else 0, self.inputs.largest)


class _Product(torch.autograd.Function):
    """The function of `TrainedProduct`."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any,
        values: torch.Tensor,
        matrix: torch.Tensor,
        input_step: torch.Tensor,
        weight_step: torch.Tensor,
        output_step: torch.Tensor | None,
        gain: torch.Tensor | None,
        offset: torch.Tensor | None,
        disturb: Disturb | None,
        rules: TrainedProduct,
    ) -> torch.Tensor:
        codes = rules.quantize(values, input_step)
        scale = (weight_step.double() * input_step.double()).float()
        kept = residual = None
        if rules.code_range is None:
            answer = multiply(rules.codes(codes), matrix, offset, rules.groups)
            answer = answer if disturb is None else disturb(answer, rules.codes(codes))
        else:
            assert gain is not None
            cycles = expand(rules.codes(codes), rules.inputs, rules.dac)
            sums = multiply(cycles.codes, (matrix.double() * gain).float(), offset, rules.groups)
            sums = sums if disturb is None else disturb(sums, cycles.codes)
            residual = _residual(sums, cycles, rules) if rules.is_quick else None
            converted, kept = _convert(sums, rules.code_range)
            answer = add_up(converted, cycles, rules.code_range)
            answer = answer.float().div_(gain.float())
        answer.mul_(_along(scale, answer))
        narrow = _narrow(codes, rules.inputs.largest)
        ctx.save_for_backward(
            values, narrow, matrix, input_step, weight_step, output_step, kept, answer, residual
        )
        ctx.rules = rules
        return answer

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> Any:
        saved = ctx.saved_tensors  # once: checkpointing computes them anew for every asking
        values, narrow, matrix, input_step, weight_step, _, kept, _, _ = saved
        rules: TrainedProduct = ctx.rules
        grad, codes = grads[0], narrow.to(matrix.dtype)
        shared, slope = _through_converters(grad, codes, kept, rules)
        scale = weight_step * input_step
        to_weight_step, to_step = _to_steps(grad, slope, saved)
        to_values = to_input_step = None
        if ctx.needs_input_grad[0] or ctx.needs_input_grad[2]:
            met = gradient_of_codes(
                shared, matrix * _rows(weight_step, matrix), rules.codes(values), rules.groups
            )
            to_values, to_input_step = _through_quantiser(met, values, codes, input_step, rules)
        to_matrix = slope.mul_(_rows(scale, slope))
        return to_values, to_matrix, to_input_step, to_weight_step, to_step, None, None, None, None


def _to_steps(
    grad: torch.Tensor, slope: torch.Tensor, saved: tuple[torch.Tensor, ...]
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """The gradients of the weights' step and of the converters'.

    What a converter does not clip, sum_t c_t mask_t S_t, counts for the one, and what it makes of it less that for the
    other. Of three things, <g, y>, <m, dm> and what is left of codes, any two tell the third.
    """
    _, _, matrix, input_step, weight_step, output_step, kept, answer, residual = saved
    per_output = weight_step.dim() == 1
    if residual is None or output_step is None:
        unclipped = input_step * ((matrix * slope).sum(1) if per_output else (matrix * slope).sum())
        if output_step is None or kept is None:
            return unclipped, None
        return unclipped, (_dot(grad, answer) - (unclipped * weight_step).sum()) / output_step
    left = _by_output(grad, residual.to(grad.dtype), per_output)
    left = left * weight_step / weight_step.mean()
    return (_by_output(grad, answer, per_output) - left * output_step) / weight_step, left.sum()


def _by_output(one: torch.Tensor, other: torch.Tensor, per_output: bool) -> torch.Tensor:
    """The sum of products, for every output or of all."""
    return (one * other).transpose(0, 1).flatten(1).sum(1) if per_output else _dot(one, other)


def _convert(sums: torch.Tensor, code_range: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Codes, and what the backward pass needs to know of them; `sums` is overwritten."""
    lowest, highest = code_range
    rounded = sums.round_().clamp_(lowest - 1, highest + 1)
    kept = _narrow(rounded, highest + 1)
    return rounded.clamp_(lowest, highest), kept


def _residual(sums: torch.Tensor, cycles: Cycles, rules: TrainedProduct) -> torch.Tensor:
    """By how much codes differ from what they stand for, where they are not clipped; the codes where they are."""
    assert rules.code_range is not None
    lowest, highest = rules.code_range
    met = torch.ops.aten.hardtanh_backward(sums, sums, lowest - 0.5, highest + 0.5)
    difference = add_up(sums.round().clamp_(lowest, highest).sub_(met), cycles, rules.code_range)
    largest = highest * cycles.weights.abs().sum().item()
    return difference.to(torch.float16 if largest < _LARGEST_HALF else torch.float32)


def _through_converters(
    grad: torch.Tensor, codes: torch.Tensor, kept: torch.Tensor | None, rules: TrainedProduct
) -> tuple[torch.Tensor, torch.Tensor]:
    """The gradient that reaches the inputs' codes, one for all cycles, and d y / d matrix without the steps."""
    if kept is None:
        return grad, gradient_of_matrix(grad, rules.codes(codes), rules.groups)
    assert rules.code_range is not None
    lowest, highest = rules.code_range
    # Quick gradients need no more of the cycles than how many there are, and what they count.
    cycles = expand(rules.codes(codes[:1] if rules.is_quick else codes), rules.inputs, rules.dac)
    weights = cycles.weights.tolist()
    whole = sum(map(abs, weights))
    shared = slope = None
    # One cycle at a time: side by side they would not fit the cache, and take twice as long.
    for number, weight in enumerate(weights):
        inside = torch.ops.aten.hardtanh_backward(
            grad, _of_cycle(kept, cycles, number).to(grad.dtype), lowest - 0.5, highest + 0.5
        )
        if not rules.is_quick:
            cycle = cycles.codes.with_values(_of_cycle(cycles.codes.values, cycles, number))
            slope = _add(slope, gradient_of_matrix(inside, cycle, rules.groups), weight)
        shared = _add(shared, inside, abs(weight) / whole)
    assert shared is not None
    return shared, gradient_of_matrix(shared, rules.codes(codes), rules.groups) if slope is None else slope


def _add(total: torch.Tensor | None, part: torch.Tensor, factor: float) -> torch.Tensor:
    """`total + factor part`; both may be overwritten."""
    if total is None:
        return part if factor == 1 else part.mul_(factor)
    return total.add_(part, alpha=factor)


def _through_quantiser(
    met: torch.Tensor,
    values: torch.Tensor,
    codes: torch.Tensor,
    input_step: torch.Tensor,
    rules: TrainedProduct,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The gradients of the values and of their step, given that of the quantised values."""
    low, high = (
        (bound + side) * input_step.item() for bound, side in zip(rules.input_range, (-0.5, 0.5), strict=True)
    )
    to_values = torch.ops.aten.hardtanh_backward(met, values, low, high)
    rounded = _dot(met, codes)
    kept = _dot(to_values, values) / input_step
    return to_values, rounded - kept


def _of_cycle(stacked: torch.Tensor, cycles: Cycles, number: int) -> torch.Tensor:
    return stacked if cycles.num_cycles == 1 else stacked.unflatten(0, (-1, cycles.num_cycles))[:, number]


def _narrow(codes: torch.Tensor, largest: int) -> torch.Tensor:
    return codes.to(torch.int8 if largest < 2**7 else torch.int16 if largest < 2**15 else torch.float32)


def _dot(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """The sum of products of two tensors of one shape, in whatever order both lie in memory."""
    if one.stride() == other.stride() and _is_dense(one):
        flat = ((one.numel(),), (1,))
        return torch.dot(one.as_strided(*flat), other.as_strided(*flat))
    return (one * other).sum()


def _is_dense(values: torch.Tensor) -> bool:
    """Whether every place in memory from the first to the last belongs to just one element."""
    order = sorted(zip(values.stride(), values.shape, strict=True))
    steps = [(stride, size) for stride, size in order if size > 1]
    expected = 1
    for stride, size in steps:
        if stride != expected:
            return False
        expected *= size
    return True


def _along(scale: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    return scale if scale.dim() == 0 else scale.view(-1, *[1] * (like.dim() - 2))


def _rows(scale: torch.Tensor, matrix: torch.Tensor) -> torch.Tensor:
    return scale if scale.dim() == 0 else scale.unsqueeze(1)
