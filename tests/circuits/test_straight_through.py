"""The product that training runs: the macro function forwards, the slow twin of its gradients backwards."""

from dataclasses import replace
from itertools import product as combinations

import pytest
import torch
from torch.nn import functional

from crossloom.circuits import EffectiveArray, TrainedProduct, cycle_weights, macro_function
from crossloom.hardware import InputFormat
from crossloom.spec import BitSerial, DacSpec, MultiLevel, Pulse, ReadoutSpec
from crossloom.windows import Window

WINDOW = Window((3, 3), (2, 1), (1, 1), (1, 1))
MODES = (BitSerial(), BitSerial(bits_per_pulse=2), Pulse(), Pulse(is_rotated=False), MultiLevel())
GAINS = {"nothing clips": 0.0213, "some clip": 0.3137}


def make(mode=BitSerial(), window=None, groups=1, bits=4, is_quick=False, is_signed=True):  # noqa: B008
    readout = ReadoutSpec(bits=bits)
    inputs = InputFormat(mode, 4, is_signed)
    return TrainedProduct(
        inputs, DacSpec(bits=4, is_signed=True), readout.code_range, window, groups, is_quick
    )


def operands(window=None, groups=1, per_output=False, seed=0):
    """Values, matrix, and the steps of input, weights and converter for a gain; all want gradients."""
    torch.manual_seed(seed)
    values = torch.randn(4, 6, 7, 8) if window else torch.randn(5, 24)
    num_inputs = 6 // groups * 9 if window else 24
    matrix = torch.randint(-6, 7, (4, num_inputs)) + 0.1 * torch.randn(4, num_inputs)
    weight_step = torch.rand(4) + 0.5 if per_output else torch.tensor(0.05)
    return values.requires_grad_(), matrix.requires_grad_(), torch.tensor(0.3), weight_step


def call(product, values, matrix, input_step, weight_step, gain):
    gain = torch.tensor(gain, dtype=torch.float64)
    output_step = (input_step * weight_step.mean() / gain).float()
    steps = [step.clone().requires_grad_() for step in (input_step, weight_step, output_step)]
    return product(values, matrix, *steps, gain if product.code_range else None), steps


class _Identity(torch.autograd.Function):
    """`found` forwards, and the gradient goes to `stands_for`."""

    @staticmethod
    def forward(ctx, stands_for, found):
        return found

    @staticmethod
    def backward(ctx, grad):
        return grad, None


def twin(product, values, matrix, input_step, weight_step, output_step):
    """The same in plain autograd, cycle by cycle: rounding is the identity, clamping is what it is."""
    low, high = product.input_range
    ratio = values / input_step
    inside = (ratio.round() >= low) & (ratio.round() <= high)
    codes = ratio.round().clamp(low, high).detach()
    quantised = _Identity.apply(torch.where(inside, ratio, codes), codes) * input_step
    cycles = product_cycles(product, codes)
    counts = cycle_weights(product.inputs, product.dac)
    scale = weight_step if weight_step.dim() == 0 else weight_step.view(-1, 1)
    relative = weight_step / weight_step.mean()
    total = 0
    for digits, count in zip(cycles, counts, strict=True):
        share = count.sign() / counts.abs().sum()
        carried = _Identity.apply(quantised * share, digits * input_step.detach())
        sums = multiply(product, carried, scale * matrix)
        step = output_step * (
            relative if relative.dim() == 0 else relative.view(-1, *[1] * (sums.dim() - 2)).detach()
        )
        reached = sums / step
        lowest, highest = product.code_range
        clipped = reached.round().clamp(lowest, highest).detach()
        passes = (reached.round() >= lowest) & (reached.round() <= highest)
        total = total + count * _Identity.apply(torch.where(passes, reached, clipped), clipped) * step
    return total


def product_cycles(product, codes):
    from crossloom.circuits import expand

    cycles = expand(replace(product, window=None).codes(codes), product.inputs, product.dac)
    return cycles.codes.values.unflatten(0, (-1, cycles.num_cycles)).unbind(1)


def multiply(product, values, matrix):
    if product.window is None:
        return values @ matrix.T
    window = product.window
    kernels = matrix.view(len(matrix), -1, *window.kernel)
    return functional.conv2d(
        values, kernels, None, window.stride, window.padding, window.dilation, product.groups
    )


@pytest.mark.parametrize(("mode", "window"), combinations(MODES, (None, WINDOW)))
def test_forward_is_the_macro_function(mode, window):
    product = make(mode, window)
    values, matrix, input_step, weight_step = operands(window)
    answer, _ = call(product, values, matrix, input_step, weight_step, 0.0713)
    gain = torch.tensor([0.0713], dtype=torch.float64)
    function = macro_function(
        EffectiveArray(matrix.detach().double().T),
        gain,
        None,
        product.inputs,
        product.dac,
        ReadoutSpec(bits=4),
    )
    codes = product.codes((values.detach() / input_step).round().clamp(-7, 7))
    expected = function(codes).sums / gain.float() * (weight_step.double() * input_step.double()).float()
    assert torch.equal(answer, expected)


@pytest.mark.parametrize("gain", GAINS.values(), ids=GAINS)
@pytest.mark.parametrize("per_output", [False, True])
@pytest.mark.parametrize(
    ("mode", "window", "groups"),
    [(BitSerial(), None, 1), (BitSerial(), WINDOW, 1), (BitSerial(), WINDOW, 2), (Pulse(is_rotated=False), None, 1),
     (Pulse(is_rotated=False), WINDOW, 1), (MultiLevel(), WINDOW, 1)],
)  # fmt: skip
def test_gradients_are_those_of_the_slow_twin(mode, window, groups, per_output, gain):
    product = make(mode, window, groups)
    values, matrix, input_step, weight_step = operands(window, groups, per_output)
    answer, steps = call(product, values, matrix, input_step, weight_step, gain)
    weights = torch.randn(answer.shape)
    found = torch.autograd.grad((answer * weights).sum(), (values, matrix, *steps))
    expected_answer = twin(product, values, matrix, *steps)
    assert torch.allclose(answer, expected_answer, atol=1e-4)
    expected = torch.autograd.grad((expected_answer * weights).sum(), (values, matrix, *steps))
    for one, other in zip(found, expected, strict=True):
        assert torch.allclose(one, other, rtol=2e-4, atol=2e-4 * other.abs().max().item())


@pytest.mark.parametrize("window", [None, WINDOW])
def test_quick_gradients_are_exact_where_nothing_clips(window):
    values, matrix, input_step, weight_step = operands(window)
    found = []
    for is_quick in (False, True):
        answer, steps = call(
            make(BitSerial(), window, 1, 4, is_quick), values, matrix, input_step, weight_step, 0.0213
        )
        torch.manual_seed(1)
        loss = (answer * torch.randn(answer.shape)).sum()
        found.append(torch.autograd.grad(loss, (values, matrix, *steps)))
    for exact, quick in zip(*found, strict=True):
        # Half precision keeps what is left of codes: 1e-3.
        assert torch.allclose(exact, quick, rtol=2e-3, atol=2e-3 * exact.abs().max().item())


@pytest.mark.parametrize("window", [None, WINDOW])
def test_quick_gradients_of_inputs_and_steps_are_exact_where_some_clip(window):
    values, matrix, input_step, weight_step = operands(window)
    found = []
    for is_quick in (False, True):
        answer, steps = call(
            make(BitSerial(), window, 1, 4, is_quick), values, matrix, input_step, weight_step, 0.3137
        )
        torch.manual_seed(1)
        loss = (answer * torch.randn(answer.shape)).sum()
        found.append(torch.autograd.grad(loss, (values, *steps)))
    for exact, quick in zip(*found, strict=True):
        assert torch.allclose(exact, quick, rtol=2e-3, atol=2e-3 * exact.abs().max().item())


@pytest.mark.parametrize("window", [None, WINDOW])
def test_the_smooth_part_has_the_gradient_of_finite_differences(window):
    """With ideal converters the answer is smooth in matrix and weight step: central differences, float32, 1e-2."""
    product = make(window=window, bits=None)
    values, matrix, input_step, weight_step = operands(window)
    answer, steps = call(product, values, matrix, input_step, weight_step, 1.0)
    weights = torch.randn(answer.shape)
    slope, step_slope = torch.autograd.grad((answer * weights).sum(), (matrix, steps[1]))
    direction = torch.randn(matrix.shape)

    def moved(size):
        with torch.no_grad():
            found, _ = call(product, values, matrix + size * direction, input_step, weight_step, 1.0)
            return (found.double() * weights.double()).sum()

    measured = (moved(0.5) - moved(-0.5)).item()
    assert measured == pytest.approx((slope * direction).sum().item(), rel=1e-4)
    assert step_slope.item() == pytest.approx((answer * weights).sum().item() / weight_step.item(), rel=1e-4)


def test_autocast_leaves_products_in_single_precision():
    product = make(window=WINDOW)
    values, matrix, input_step, weight_step = operands(WINDOW)
    plain, _ = call(product, values, matrix, input_step, weight_step, 0.0213)
    with torch.autocast("cpu", torch.bfloat16):
        cast, _ = call(product, values, matrix, input_step, weight_step, 0.0213)
    assert torch.equal(plain, cast)
    assert cast.dtype == torch.float32
