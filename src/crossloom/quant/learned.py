"""What a layer learned in training with quantisation: its integers and steps, which `quantize` takes as they are."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite

import torch

from crossloom.errors import ConfigError, DataError
from crossloom.quant.config import QuantConfig
from crossloom.quant.layer import code_range
from crossloom.registry import did_you_mean

_TOLERANCE = 1e-3  # of a step
_WIDEST_TOLERANCE = 0.25  # beyond which a value could belong to another integer


@dataclass(frozen=True)
class LearnedLayer:
    """The steps and the converter's range that a linear layer or a convolution was trained with.

    A plain module carries it as its attribute `learned`; `compile` finds it there. The module's weight is then
    integer * weight_step, with integers in -(2^(weight_bits-1) - 1) ... 2^(weight_bits-1) - 1.

    weight_step: value of one unit of the layer's own weight (before any batch norm is folded into it), [] or one
        per output [out]; kept as float64 on the CPU.
    input_step: value of one unit of the input's codes.
    input_bits, input_is_signed: codes as `code_range` has them.
    output_step: value of one code of the converter in one input cycle, in units of the layer's output before bias
        and batch norm, the weight step being the mean over outputs; None when it was not learned, and calibration
        data shall choose.
    integration_time: the readout's register n for all tiles, where it is known; comes before `output_step`.

    Raises ConfigError when steps are not finite and above 0, or bits are out of range.
    """

    weight_step: torch.Tensor
    weight_bits: int
    input_step: float
    input_bits: int
    input_is_signed: bool
    output_step: float | None = None
    integration_time: float | None = None

    def __post_init__(self) -> None:
        step = torch.as_tensor(self.weight_step, dtype=torch.float64).detach().cpu()
        object.__setattr__(self, "weight_step", step)
        if step.dim() > 1 or not step.numel() or not (step.isfinite() & (step > 0)).all():
            raise ConfigError(
                f"weight_step: need finite numbers above 0, one or one per output, got {list(step.shape)} from "
                f"{_extremes(step)}; train again, or leave out what was learned"
            )
        for name in ("input_step", "output_step", "integration_time"):
            value = getattr(self, name)
            if value is None and name != "input_step":
                continue
            if not isinstance(value, int | float) or not isfinite(value) or value <= 0:
                raise ConfigError(f"{name}: need a finite number above 0, got {value!r}; train again")
        for name in ("weight_bits", "input_bits"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not 2 <= value <= 16:
                raise ConfigError(f"{name}: need an integer from 2 to 16, got {value!r}")


Learned = Mapping[str, tuple[LearnedLayer, torch.Tensor]]
"""By the name of a matrix operation: what its layer learned, and its integers, int16 [out, ...]."""


def learned_codes(name: str, weight: torch.Tensor, learned: LearnedLayer) -> torch.Tensor:
    """The integers, int16 [out, ...], of a layer's own weight [out, ...], before any folding.

    Raises DataError, naming the layer, when weights are no multiples of the step within 0.001 of it (or what their
    type rounds away), or are beyond the learned bits.
    """
    step = learned.weight_step.to(weight.device)
    if step.dim() and len(step) != len(weight):
        raise DataError(
            f"{name}: learned {len(step)} weight steps for {len(weight)} outputs; need one, or one per output"
        )
    units = weight.detach().double() / _along_outputs(step, weight)
    codes = units.round()
    off = (units - codes).abs()
    if not (off <= _tolerance(codes, weight.dtype)).all():
        raise DataError(
            f"{name}: weights must be integers times the learned step, but are off by up to {off.max().item():.2g} "
            "of a step; convert the trained model again, and leave its weights as they are"
        )
    top = code_range(learned.weight_bits, True)[1]
    if (codes.abs() > top).any():
        raise DataError(
            f"{name}: learned {learned.weight_bits}-bit weights go from {-top} to {top}, got "
            f"{codes.abs().max().item():g}; correct weight_bits or weight_step"
        )
    return codes.to(torch.int16)


def recovered_step(
    name: str, weight: torch.Tensor, learned: LearnedLayer, codes: torch.Tensor
) -> torch.Tensor:
    """The step of every output, float64 [out], with which integers give a weight that other things were folded into.

    Folding a batch norm multiplies an output's weights by one factor, so the step is <W, q> / <q, q>: below zero
    where the factor is, and zero where it is. Where all integers are zero it cannot be told, and the learned step
    stays.

    Raises DataError, naming the layer, when no step does.
    """
    if weight.shape != codes.shape:
        raise DataError(
            f"{name}: learned integers {list(codes.shape)} do not fit the weight {list(weight.shape)}; give those of "
            "this layer"
        )
    rows, units = weight.detach().flatten(1).double(), codes.to(weight.device).flatten(1).double()
    power = units.square().sum(1)
    own = learned.weight_step.to(rows).expand(len(rows))
    found = torch.where(power > 0, (rows * units).sum(1) / power.clamp(min=1), own)
    smallest = torch.finfo(weight.dtype)
    off = (rows - found.unsqueeze(1) * units).abs()
    # What a type cannot tell from zero is no deviation: factors vanish where training drove them to zero.
    if not (off <= found.abs().unsqueeze(1) * _tolerance(units, weight.dtype) + smallest.tiny).all():
        raise DataError(
            f"{name}: its weight is no longer the learned integers times one step for each output; fold nothing into "
            "it but factors of whole outputs"
        )
    return torch.where((found / own - 1).abs() < smallest.eps, own, found).contiguous()


def check_learned(config: QuantConfig, learned: Learned, known: list[str]) -> None:
    """ConfigError when a layer learned other than what `config` asks for, or is none of the `known` names."""
    if learned and config.equalize:
        raise ConfigError(
            "equalize moves what layers learned; leave it out of QuantConfig, or convert plain layers"
        )
    for name, (layer, _) in learned.items():
        if name not in known:
            raise ConfigError(f"learned: no matrix operation is called {name!r}; {did_you_mean(name, known)}")
        wanted = config.for_layer(name)
        for choice, found in (
            ("weight_bits", layer.weight_bits),
            ("activation_bits", layer.input_bits),
            ("activations_are_signed", layer.input_is_signed),
        ):
            asked = getattr(wanted, choice)
            if asked is not None and asked != found:
                raise ConfigError(
                    f"{name} learned with {choice}={found}, but QuantConfig asks for {choice}={asked}; leave it out of "
                    "QuantConfig, or train with it"
                )


def _tolerance(codes: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """How far from an integer a weight may be, in steps: its type rounds large ones more than that."""
    return (2 * torch.finfo(dtype).eps * codes.abs()).clamp(_TOLERANCE, _WIDEST_TOLERANCE)


def _along_outputs(step: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return step if step.dim() == 0 else step.view(-1, *[1] * (weight.dim() - 1))


def _extremes(step: torch.Tensor) -> str:
    return f"{step.min().item():g} to {step.max().item():g}" if step.numel() else "nothing"
