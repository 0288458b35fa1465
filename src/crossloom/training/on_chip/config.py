"""What is chosen when chips learn."""

from typing import Annotated, Literal

from pydantic import Field

from crossloom.artefacts import saved
from crossloom.spec import Config
from crossloom.training.on_chip.rules import MixedPrecision, Rule

Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


@saved
class OnChipConfig(Config):
    """How a network learns in its cells.

    rule: how gradients become pulses; a name stands for the rule as it usually is (`rule="sign"`).
    layers: which linear layers and convolutions lie in cells and learn: all, the last, or those named. The others
        stay as the model has them, digital and fixed.
    start: the weights that are written first: those of the `model`, `random` ones, or none: cells as they are `found`.
    forward: products by the `chip`'s converters, or digitally with the weights last `read` back. Gradients always go
        back through weights that were read.
    num_epochs, batch_size: batches are drawn anew in every epoch.
    bias_learning_rate: of the biases of these layers, which are digital, by plain gradient descent; None: they stay.
    weight_range: the magnitude of a weight that takes a cell's whole window; None for twice the largest first weight
        of each layer.
    input_bits: of the codes that drive rows, sign included; None for the system's.
    read_every: batches between two reads of all weights.
    settle: s, between the last pulse and the last look at accuracy, on chips that know time.
    seed: of the order of batches, random weights, and all that rules draw.
    """

    rule: Rule = MixedPrecision()
    layers: Literal["all", "last"] | tuple[str, ...] = "all"
    start: Literal["model", "random", "found"] = "model"
    forward: Literal["chip", "read"] = "chip"
    num_epochs: Count = 10
    batch_size: Count = 32
    bias_learning_rate: Positive | None = None
    weight_range: Positive | None = None
    input_bits: Annotated[int, Field(ge=2, le=16)] | None = None
    read_every: Count = 1
    settle: Annotated[float, Field(ge=0)] = 1.0
    seed: Annotated[int, Field(ge=0)] = 0
