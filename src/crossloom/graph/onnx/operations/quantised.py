"""Quantisers: ONNX's QuantizeLinear and DequantizeLinear, and QONNX's Quant, BipolarQuant and Trunc."""

import numpy as np
import torch

from crossloom.graph.codes import from_codes, to_codes
from crossloom.graph.onnx.registry import operation, refusal
from crossloom.graph.onnx.steps import Constants, OnnxNode, Step

_RANGES = {
    torch.int8: (-128, 127),
    torch.uint8: (0, 255),
    torch.int16: (-(2**15), 2**15 - 1),
    torch.int32: (-(2**31), 2**31 - 1),
}
_TYPES = {2: torch.uint8, 3: torch.int8, 5: torch.int16}  # by ONNX's number
_ROUNDINGS = {"ROUND": torch.round, "FLOOR": torch.floor, "CEIL": torch.ceil}


@operation("QuantizeLinear")
def quantize_linear(
    step: Step, x: torch.Tensor, scale: torch.Tensor, zero: torch.Tensor | None = None
) -> torch.Tensor:
    """Codes, as whole numbers in floating point: so whatever moves them on can take them."""
    dtype = _TYPES.get(step.attribute("output_dtype", 0), torch.uint8) if zero is None else zero.dtype
    zero = torch.zeros_like(scale) if zero is None else zero
    return to_codes(x, scale, zero, *_RANGES[dtype], step.attribute("axis", 1))


@operation("DequantizeLinear")
def dequantize_linear(
    step: Step, codes: torch.Tensor, scale: torch.Tensor, zero: torch.Tensor | None = None
) -> torch.Tensor:
    """Values of codes; of stored ones the type says how far they go, of computed ones that of the zero."""
    dtype = codes.dtype if zero is None or not codes.dtype.is_floating_point else zero.dtype
    low, high = _RANGES.get(dtype, _RANGES[torch.uint8])
    zero = torch.zeros_like(scale) if zero is None else zero
    return from_codes(codes, scale, zero, low, high, step.attribute("axis", 1))


@operation("Quant", fixed=(3,))
def quant(
    step: Step, x: torch.Tensor, scale: torch.Tensor, zero: torch.Tensor, bits: np.ndarray
) -> torch.Tensor:
    """To codes of any number of bits and back (QONNX, arXiv:2206.07527)."""
    width, narrow = int(bits.reshape(-1)[0]), step.attribute("narrow", 0)
    signed = step.attribute("signed", 1)
    low = narrow - 2 ** (width - 1) if signed else 0
    high = 2 ** (width - 1) - 1 if signed else 2**width - 1 - narrow
    axis, scale, zero = _flat(x, scale, zero)
    return from_codes(to_codes(x, scale, zero, low, high, axis), scale, zero, low, high, axis)


@operation("BipolarQuant")
def bipolar_quant(step: Step, x: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """One step up or down, by the sign; zero counts as above."""
    zero = torch.zeros_like(scale)
    axis, scale, zero = _flat(x, scale, zero)
    return from_codes(torch.where(x >= 0, 1.0, -1.0), scale, zero, -1, 1, axis)


@operation("Trunc", fixed=(3, 4))
def trunc(
    step: Step,
    x: torch.Tensor,
    scale: torch.Tensor,
    zero: torch.Tensor,
    before: np.ndarray,
    after: np.ndarray,
) -> torch.Tensor:
    """Codes without their lowest bits (QONNX's first version: the scale stays)."""
    codes = torch.round(x / scale + zero)
    share = 2.0 ** int(before.reshape(-1)[0] - after.reshape(-1)[0])
    return (_ROUNDINGS[step.attribute("rounding_mode", "FLOOR")](codes / share) - zero) * scale


@refusal("QuantizeLinear", "DequantizeLinear")
def refuse_blocks(node: OnnxNode, constants: Constants) -> str | None:
    """Blocks along an axis, scales that are computed, and types that no converter has."""
    if node.attributes.get("block_size", 0):
        return "block_size; give one scale for a tensor, or for an axis"
    if any(name and name not in constants for name in node.inputs[1:3]):
        return "a scale or zero point that the model computes; store them"
    zero = constants.get(node.inputs[2]) if len(node.inputs) > 2 and node.inputs[2] else None
    if zero is not None and zero.dtype not in _RANGES:
        return f"codes of type {str(zero.dtype).removeprefix('torch.')}; use int8, uint8 or int16"
    return None


@refusal("Quant", "BipolarQuant", "Trunc")
def refuse_roundings(node: OnnxNode, constants: Constants) -> str | None:
    """Scales that are computed, and ways to round that no quantiser here has."""
    if any(name and name not in constants for name in node.inputs[1:]):
        return "a scale, zero point or width that the model computes; store them"
    mode = node.attributes.get("rounding_mode", "FLOOR" if node.operation == "Trunc" else "ROUND")
    known = ("ROUND",) if node.operation == "Quant" else tuple(_ROUNDINGS)
    return None if mode in known else f"rounding_mode={mode}; use {' or '.join(known)}"


def _flat(x: torch.Tensor, scale: torch.Tensor, zero: torch.Tensor) -> tuple[int, torch.Tensor, torch.Tensor]:
    """The axis along which scales differ, and scales and zeros along it; QONNX gives them axes of size 1."""
    scale, zero = torch.broadcast_tensors(scale, zero)
    axes = [axis - scale.dim() for axis, size in enumerate(scale.shape) if size != 1]
    return axes[0] % x.dim() if axes else 0, scale.reshape(-1), zero.reshape(-1)
