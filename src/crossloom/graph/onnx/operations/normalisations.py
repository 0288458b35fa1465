"""Normalisations, and dropout, which does nothing outside training."""

import torch
import torch.nn.functional as F

from crossloom.graph.onnx.registry import operation, refusal
from crossloom.graph.onnx.steps import Constants, OnnxNode, Step

_AFFINE = ("", "weight", "bias")


@operation("BatchNormalization", roles=(*_AFFINE, "running_mean", "running_var"))
def batch_norm(
    step: Step,
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor,
    mean: torch.Tensor,
    variance: torch.Tensor,
) -> torch.Tensor:
    """Stored mean and variance taken out of each channel."""
    return F.batch_norm(x, mean, variance, weight, bias, eps=step.attribute("epsilon", 1e-5))


@refusal("BatchNormalization")
def refuse_training(node: OnnxNode, constants: Constants) -> str | None:
    """Batch statistics belong to training."""
    return "training_mode=1; export the model in eval mode" if node.attributes.get("training_mode") else None


@operation("LayerNormalization", roles=_AFFINE)
def layer_norm(
    step: Step, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None
) -> torch.Tensor:
    """Mean and variance of the axes from `axis` on taken out."""
    shape = list(x.shape[step.attribute("axis", -1) :])
    bias = bias if bias is None or list(bias.shape) == shape else bias.expand(shape)
    weight = weight if list(weight.shape) == shape else weight.expand(shape)
    return F.layer_norm(x, shape, weight, bias, step.attribute("epsilon", 1e-5))


@operation("RMSNormalization", roles=("", "weight"))
def rms_norm(step: Step, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Root mean square of the axes from `axis` on taken out."""
    shape = list(x.shape[step.attribute("axis", -1) :])
    return F.rms_norm(x, shape, weight.expand(shape), step.attribute("epsilon", 1e-5))


@operation("InstanceNormalization", roles=_AFFINE)
def instance_norm(step: Step, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """Mean and variance of each channel of each sample taken out."""
    return F.instance_norm(x, weight=weight, bias=bias, eps=step.attribute("epsilon", 1e-5))


@operation("GroupNormalization", roles=_AFFINE)
def group_norm(step: Step, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """Mean and variance of each group of channels taken out; ONNX deprecates the form before opset 21."""
    return F.group_norm(x, step.attribute("num_groups"), weight, bias, step.attribute("epsilon", 1e-5))


@operation("LRN")
def local_response_norm(step: Step, x: torch.Tensor) -> torch.Tensor:
    """Each element divided by a power of the mean square of its neighbours among the channels."""
    alpha, beta = step.attribute("alpha", 1e-4), step.attribute("beta", 0.75)
    return F.local_response_norm(x, step.attribute("size"), alpha, beta, step.attribute("bias", 1.0))


@refusal("LRN")
def refuse_even_size(node: OnnxNode, constants: Constants) -> str | None:
    """Torch and ONNX centre an even neighbourhood differently."""
    size = node.attributes.get("size", 1)
    return None if size % 2 else f"size={size}; only odd ones are supported"


@operation("LpNormalization")
def lp_norm(step: Step, x: torch.Tensor) -> torch.Tensor:
    """Each vector along an axis divided by its p-norm."""
    return F.normalize(x, p=step.attribute("p", 2), dim=step.attribute("axis", -1), eps=1e-12)


@operation("Dropout", fixed=(1, 2))
def dropout(step: Step, x: torch.Tensor, ratio: object = None, is_training: object = None) -> torch.Tensor:
    """Its input: nothing is dropped outside training."""
    return x


@refusal("Dropout")
def refuse_dropping(node: OnnxNode, constants: Constants) -> str | None:
    """Dropping elements belongs to training."""
    flag = constants.get(node.inputs[2]) if len(node.inputs) > 2 else None
    is_training = flag is not None and bool(flag.any())
    return "training_mode is true; export the model in eval mode" if is_training else None
