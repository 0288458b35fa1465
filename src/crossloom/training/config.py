"""What is chosen when a network is made trainable as the hardware computes it."""

from typing import Annotated

from pydantic import Field

from crossloom.mapping import MappingConfig
from crossloom.spec import Config
from crossloom.training.effects import AnyEffect

Bits = Annotated[int, Field(ge=2, le=16)]


class AnalogConfig(Config):
    """How layers are quantised, mapped and disturbed while they are trained. None takes what the system is made for.

    weight_bits: of a signed weight; 2 is ternary.  is_binary: weights are -1 or 1, nothing between.
    largest_weight: the largest integer that training uses; None for all that the bits hold. Yu et al. 2025 train
        with 6 of 7.
    per_channel: one learned weight step per output, so that every column uses all of its cells' range, or one for the
        layer.
    activations_are_signed: None takes the system's word, and else looks at the first batch.
    mapping: encodings, slicings, input modes, by layer where they differ.
    effects: what goes wrong while training, in this order.
    learns_steps: whether steps of weights, inputs and converters are trained, or stay as the first batch sets them.
    weight_percentile: of magnitudes, which the largest integer stands for at first; None for the least square error.
        Yu et al. 2025 use the 80th with 6 of 7.
    is_quick: where one input cycle of several clips, let the weights take the same share of the gradient as the inputs
        do, instead of a product of their own for each cycle: the same where nothing clips, in two thirds of the time.
    digital: layers that stay as they are.
    """

    weight_bits: Bits | None = None
    is_binary: bool = False
    largest_weight: Annotated[int, Field(ge=1)] | None = None
    activation_bits: Bits | None = None
    activations_are_signed: bool | None = None
    per_channel: bool = True
    mapping: MappingConfig = MappingConfig()
    effects: tuple[AnyEffect, ...] = ()
    learns_steps: bool = True
    weight_percentile: Annotated[float, Field(gt=0, le=100)] | None = None
    is_quick: bool = False
    digital: tuple[str, ...] = ()
