"""What is chosen when a graph is quantised."""

from typing import Annotated, Literal

from pydantic import Field

from crossloom.artefacts import saved
from crossloom.spec import Config, PrecisionSpec

Bits = Annotated[int, Field(ge=2, le=16)]
RangeMethod = Literal["min_max", "percentile", "mse"]


@saved
class QuantConfig(Config):
    """Bits, signs and how ranges are found. None takes what the system is made for.

    activations_are_signed: False or True for all layers; None lets calibration decide for each layer.
    per_channel: one weight step per output, or one for the whole layer.
    weight_range, activation_range: from the extremes, from a percentile of magnitudes, or from the step
        of least mean-square error.
    percentile: of magnitudes, for the method of that name.
    """

    weight_bits: Bits | None = None
    activation_bits: Bits | None = None
    activations_are_signed: bool | None = None
    per_channel: bool = True
    weight_range: RangeMethod = "mse"
    activation_range: RangeMethod = "mse"
    percentile: Annotated[float, Field(gt=50, le=100)] = 99.9


def resolve_quant(config: QuantConfig, precision: PrecisionSpec) -> QuantConfig:
    """Fill in what the system is made for."""
    signs = config.activations_are_signed
    return config.replace(
        weight_bits=config.weight_bits or precision.weight_bits,
        activation_bits=config.activation_bits or precision.activation_bits,
        activations_are_signed=precision.activations_are_signed if signs is None else signs,
    )
