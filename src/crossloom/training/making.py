"""How layers come to their matrices: what was chosen and what the system is made for, joined."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import nn

from crossloom.spec import SystemSpec
from crossloom.training.analog import AnalogMatrix
from crossloom.training.config import AnalogConfig
from crossloom.training.plan import LayerShape, plan_layer

_DEFAULT_BITS = 8


class MakeMatrix(Protocol):
    """Makes a matrix of the layer that is converted."""

    def __call__(
        self, part: str, shape: LayerShape, weight: torch.Tensor, is_signed: bool | None = None
    ) -> AnalogMatrix:
        """The matrix of this `part` of the layer; "" for all of it.

        weight: [output, ...].  is_signed: whether its inputs are, whatever was chosen; None where it is not known.
        """
        ...


@dataclass(frozen=True)
class MatrixMaker:
    """Makes the matrices of the layer `name`; see `MakeMatrix`. ConfigError when cells or drivers cannot do it."""

    name: str
    system: SystemSpec
    config: AnalogConfig

    def __call__(
        self, part: str, shape: LayerShape, weight: torch.Tensor, is_signed: bool | None = None
    ) -> AnalogMatrix:
        config, precision, mapping = self.config, self.system.precision, self.config.mapping
        for chosen in (config.activations_are_signed, precision.activations_are_signed):
            is_signed = chosen if is_signed is None else is_signed
        name = ".".join(filter(None, (self.name, part)))
        plan = plan_layer(
            name,
            shape,
            self.system.macro,
            mapping.for_layer(name if name in mapping.layers else self.name),
            2 if config.is_binary else config.weight_bits or precision.weight_bits or _DEFAULT_BITS,
            config.activation_bits or precision.activation_bits or _DEFAULT_BITS,
            True if is_signed is None else is_signed,
            config.largest_weight,
            config.is_binary,
            config.is_quick,
        )
        return AnalogMatrix(plan, config, weight, is_signed is not None)


def adopt(layer: nn.Module, plain: nn.Module) -> None:
    """Give `layer` the parameters of `plain` itself, not of its parts, by their names."""
    for name, parameter in plain._parameters.items():
        layer.register_parameter(name, parameter)
