"""Activation functions."""

from collections.abc import Callable

import torch
import torch.nn.functional as F

from crossloom.graph.onnx.registry import operation
from crossloom.graph.onnx.steps import Step

PLAIN: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "HardSwish": F.hardswish,
    "Mish": F.mish,
    "Relu": F.relu,
    "Sigmoid": torch.sigmoid,
    "Softplus": F.softplus,
    "Softsign": F.softsign,
    "Tanh": torch.tanh,
}

_SELU_ALPHA = 1.67326319217681884765625  # the float32 numbers of ONNX's and torch's definition
_SELU_GAMMA = 1.05070102214813232421875


@operation(*PLAIN)
def plain(step: Step, x: torch.Tensor) -> torch.Tensor:
    """An activation without parameters."""
    return PLAIN[step.operation](x)


@operation("LeakyRelu")
def leaky_relu(step: Step, x: torch.Tensor) -> torch.Tensor:
    """x, or alpha · x where negative."""
    return F.leaky_relu(x, step.attribute("alpha", 0.01))


@operation("PRelu", roles=("", "weight"))
def prelu(step: Step, x: torch.Tensor, slope: torch.Tensor) -> torch.Tensor:
    """x, or slope · x where negative; a stored slope has one axis, one number per channel or one for all."""
    if step.attribute("is_per_channel", 0):
        return F.prelu(x, slope)
    return torch.where(x < 0, x * slope, x)


@operation("Elu")
def elu(step: Step, x: torch.Tensor) -> torch.Tensor:
    """x, or alpha · (exp(x) − 1) where negative."""
    return F.elu(x, step.attribute("alpha", 1.0))


@operation("Selu")
def selu(step: Step, x: torch.Tensor) -> torch.Tensor:
    """gamma · elu(x, alpha); torch's own function where the numbers are the usual ones."""
    alpha, gamma = step.attribute("alpha", _SELU_ALPHA), step.attribute("gamma", _SELU_GAMMA)
    if abs(alpha - _SELU_ALPHA) < 1e-6 and abs(gamma - _SELU_GAMMA) < 1e-6:
        return F.selu(x)
    return gamma * F.elu(x, alpha)


@operation("Celu")
def celu(step: Step, x: torch.Tensor) -> torch.Tensor:
    """x, or alpha · (exp(x / alpha) − 1) where negative."""
    return F.celu(x, step.attribute("alpha", 1.0))


@operation("Gelu")
def gelu(step: Step, x: torch.Tensor) -> torch.Tensor:
    """x · Φ(x), exact or approximated by tanh."""
    return F.gelu(x, approximate=step.attribute("approximate", "none"))


@operation("HardSigmoid")
def hard_sigmoid(step: Step, x: torch.Tensor) -> torch.Tensor:
    """alpha · x + beta between 0 and 1; torch's own function where alpha is 1/6 and beta 1/2."""
    alpha, beta = step.attribute("alpha", 0.2), step.attribute("beta", 0.5)
    if abs(alpha - 1 / 6) < 1e-6 and beta == 0.5:
        return F.hardsigmoid(x)
    return torch.clamp(alpha * x + beta, 0.0, 1.0)


@operation("Swish")
def swish(step: Step, x: torch.Tensor) -> torch.Tensor:
    """x · sigmoid(alpha · x)."""
    alpha = step.attribute("alpha", 1.0)
    return F.silu(x) if alpha == 1.0 else x * torch.sigmoid(alpha * x)


@operation("ThresholdedRelu")
def thresholded_relu(step: Step, x: torch.Tensor) -> torch.Tensor:
    """x where above alpha, else 0."""
    return F.threshold(x, step.attribute("alpha", 1.0), 0.0)


@operation("Softmax")
def softmax(step: Step, x: torch.Tensor) -> torch.Tensor:
    """Exponentials that sum to one along an axis."""
    return F.softmax(x, dim=step.attribute("axis", -1))


@operation("LogSoftmax")
def log_softmax(step: Step, x: torch.Tensor) -> torch.Tensor:
    """The logarithm of the softmax along an axis."""
    return F.log_softmax(x, dim=step.attribute("axis", -1))
