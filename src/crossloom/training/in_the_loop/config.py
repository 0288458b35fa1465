"""What is chosen when a network is tuned with its chips in the loop."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from crossloom.artefacts import saved
from crossloom.spec import Config, by_kind

Share = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Objective = Literal["labels", "answers"]


@saved
class WholeNetwork(Config):
    """Cells of all layers may be rewritten."""

    kind: Literal["whole_network"] = "whole_network"


@saved
class LastLayer(Config):
    """Only cells of the last matrix are rewritten, as in the hybrid training of Yao et al. (Nature 577, 641, 2020,
    10.1038/s41586-020-1942-4); what comes before it is measured on the chips once."""

    kind: Literal["last_layer"] = "last_layer"


@saved
class NamedLayers(Config):
    """Only cells of the matrices of these names are rewritten."""

    kind: Literal["named_layers"] = "named_layers"
    layers: Annotated[tuple[str, ...], Field(min_length=1)]


@saved
class DigitalOnly(Config):
    """No cell is rewritten; scales and biases of all layers, which are digital, are trained."""

    kind: Literal["digital_only"] = "digital_only"


Mode = Annotated[
    WholeNetwork | LastLayer | NamedLayers | DigitalOnly,
    Field(discriminator="kind"),
    BeforeValidator(by_kind),
]


@saved
class InTheLoopConfig(Config):
    """How chips that are programmed already are tuned.

    mode: which layers' cells may be rewritten; a name stands for the mode as it usually is.
    trains_digital: whether scale and bias of every output of those layers are trained too. The digital unit holds them,
        so that they cost no cell.
    objective: what is wanted of the scores: the `labels` (cross-entropy), or the `answers` that the network gives by
        exact integers (mean square error, over the variance of the answers). Answers say more with few samples, and
        with samples that the network knows by heart; labels can make up for quantisation as well.
    epochs: passes over the data; cells are rewritten after each.
    digital_epochs: passes after the last rewriting, in which scales and biases alone are trained, since what was
        rewritten last has errors that nobody could know before; none without `trains_digital`.
    batch_size: samples for one step.
    learning_rate: a usual step of a weight, as a share of the layer's largest integer; it falls to zero with a cosine.
    digital_rate: a usual step of a scale, and of a bias in units of the layer's usual output; falls likewise.
    hysteresis: a weight is rewritten when what training wants is further from what the chip has than so many times
        the error that writing leaves, which is measured. Below 1 writing does more harm than good.
    num_reads: how often cells are read, and averaged, when they are read back.
    settle: s, between a rewriting and the read-back, on chips that know time.
    seed: of the order of samples, and of read noise.
    """

    mode: Mode = WholeNetwork()
    objective: Objective = "labels"
    trains_digital: bool = True
    epochs: Annotated[int, Field(ge=0)] = 5
    digital_epochs: Annotated[int, Field(ge=0)] = 2
    batch_size: Count = 16
    learning_rate: Positive = 0.003
    digital_rate: Positive = 0.003
    hysteresis: Share = 2.0
    num_reads: Count = 1
    settle: Share = 1.0
    seed: Annotated[int, Field(ge=0)] = 0


@saved
class LayerByLayerConfig(Config):
    """How chips are programmed layer by layer, the rest of the network being trained in between.

    NeuRRAM (Wan et al., Nature 608, 504, 2022, 10.1038/s41586-022-04992-8) does so: one layer is written and stays, its
    outputs are measured, and the layers after it are trained in software against them. Every cell is written once.

    Before a layer is written its weights cost nothing, so they may move faster than those of chips that are tuned.

    layers_at_once: how many layers are written between two trainings.  epochs: passes over the data after each
    writing.  The rest as in `InTheLoopConfig`.
    """

    layers_at_once: Count = 1
    objective: Objective = "labels"
    trains_digital: bool = True
    epochs: Annotated[int, Field(ge=0)] = 3
    batch_size: Count = 32
    learning_rate: Positive = 0.01
    digital_rate: Positive = 0.005
    num_reads: Count = 1
    settle: Share = 1.0
    seed: Annotated[int, Field(ge=0)] = 0
