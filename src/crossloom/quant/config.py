"""What is chosen when a graph is quantised."""

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field

from crossloom.artefacts import saved
from crossloom.errors import ConfigError
from crossloom.registry import did_you_mean
from crossloom.spec import Config, PrecisionSpec

WeightBits = Annotated[int, Field(ge=1, le=16)]
Bits = Annotated[int, Field(ge=2, le=16)]
RangeMethod = Literal["min_max", "percentile", "mse"]


@saved
class LayerQuantConfig(Config):
    """Bits of one layer. None takes what holds for all.

    weight_bits: of signed weights; 2 is ternary, 1 is binary (-1 and 1, nothing between).
    """

    weight_bits: WeightBits | None = None
    activation_bits: Bits | None = None


@saved
class QuantConfig(Config):
    """Bits, signs and how ranges are found. None takes what the system is made for.

    weight_bits: of signed weights, from -(2^(b-1) - 1) to 2^(b-1) - 1; 2 is ternary, 1 is binary (-1 and 1).
    activations_are_signed: False or True for all layers; None lets calibration decide for each layer.
    per_channel: one weight step per output, or one for the whole layer.
    weight_range, activation_range: from the extremes, from a percentile of magnitudes, or from the step
        of least mean-square error.
    percentile: of magnitudes, for the method of that name.
    layers: bits of single layers, by the name of their matrix operation.
    equalize: whether consecutive layers share their ranges channel by channel first (`equalize`).
    correct_bias: whether the mean error that quantisation adds to every output is taken off the bias again
        (`correct_biases`).
    """

    weight_bits: WeightBits | None = None
    activation_bits: Bits | None = None
    activations_are_signed: bool | None = None
    per_channel: bool = True
    weight_range: RangeMethod = "mse"
    activation_range: RangeMethod = "mse"
    percentile: Annotated[float, Field(gt=50, le=100)] = 99.9
    layers: dict[str, LayerQuantConfig] = Field(default_factory=dict)
    equalize: bool = False
    correct_bias: bool = False

    def for_layer(self, name: str) -> "QuantConfig":
        """What holds for the layer `name`, as if it held for all."""
        own = self.layers.get(name)
        if own is None:
            return self
        return self.replace(
            layers={},
            weight_bits=own.weight_bits or self.weight_bits,
            activation_bits=own.activation_bits or self.activation_bits,
        )

    def check_layers(self, known: Iterable[str]) -> None:
        """ConfigError when `layers` names one that is not among the `known`."""
        known = list(known)
        for name in self.layers:
            if name not in known:
                raise ConfigError(
                    f"layers: no matrix operation is called {name!r}; {did_you_mean(name, known)}"
                )


def resolve_quant(config: QuantConfig, precision: PrecisionSpec) -> QuantConfig:
    """Fill in what the system is made for."""
    signs = config.activations_are_signed
    return config.replace(
        weight_bits=config.weight_bits or precision.weight_bits,
        activation_bits=config.activation_bits or precision.activation_bits,
        activations_are_signed=precision.activations_are_signed if signs is None else signs,
    )
