"""What is chosen when hardware tunes itself: which knobs, by which search, on how many samples."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from crossloom.artefacts import saved
from crossloom.spec import Config

Positive = Annotated[float, Field(gt=0)]
LayerKnob = Literal["integration_time", "read_voltage", "offset", "gain"]
ReferenceKind = Literal["exact", "nominal"]


class TuningConfig(Config):
    """What every way to tune shares.

    reference: what chips should answer: `exact` integer products, or what `nominal` chips would answer, with ideal
        cells and converters at the integration times of the placement, which is what a network trained with its
        converters learned; None takes that whose network has less cross-entropy, and without labels `nominal` where
        most layers were trained with their converters, else `exact`.
    num_samples: samples to tune with, at most.  held_out: share of the data that scores are of: no setting is found
        on it, but knobs that do not help there are left out.
    num_vectors: input vectors that settings of a layer are compared on, half of them to fit lines, half to judge.
    max_evaluations: a layer is left as it is where its sweep, and the scores in the end, would take the tuning past so
        many network evaluations.  max_seconds: after so long no more layers are tuned.  None for no limit.
    seed: of read noise, and of which vectors are taken.
    """

    reference: ReferenceKind | None = None
    num_samples: Annotated[int, Field(ge=2)] = 64
    held_out: Annotated[float, Field(gt=0, lt=1)] = 0.5
    num_vectors: Annotated[int, Field(ge=16)] = 512
    max_evaluations: Positive | None = None
    max_seconds: Positive | None = None
    seed: Annotated[int, Field(ge=0)] = 0


@saved
class LayerByLayer(TuningConfig):
    """Tune layer by layer, from the layer's own outputs against the reference's.

    SSAT of Yu et al., Nat. Commun. 16, 2123 (2025), 10.1038/s41467-025-57183-0.

    Each layer meets what the tuned layers before it gave. All settings of its registers are tried in one sweep, each
    tile keeps its best, and the settings that do not help on vectors held out are not taken.

    knobs: in the order in which their worth is told.  `integration_time`: every value of the register, or 33 values up
        to a factor of 8 either way where there is no register.  `read_voltage`: those of `read_voltages`, V per input
        step, at most 8.  `offset`, `gain`: of every output, made good digitally.
    """

    kind: Literal["layer_by_layer"] = "layer_by_layer"
    knobs: Annotated[tuple[LayerKnob, ...], Field(min_length=1)] = ("integration_time", "offset", "gain")
    read_voltages: Annotated[tuple[Positive, ...], Field(max_length=8)] = ()

    @model_validator(mode="after")
    def _knobs_have_what_they_need(self) -> Self:
        _check_lines(self.knobs)
        if len(set(self.read_voltages)) < len(self.read_voltages):
            raise ValueError(f"read_voltages: some are named twice: {self.read_voltages}")
        if ("read_voltage" in self.knobs) != bool(self.read_voltages):
            raise ValueError("knobs: read_voltage and the read_voltages to try come together")
        return self


@saved
class Exhaustive(TuningConfig):
    """For each layer in order every value of its integration time, judged by the outputs of the whole network on the
    samples to tune with: a reference for cheaper ways, at as many network evaluations as there are values and layers.

    knobs: `offset` and `gain` are fitted at every value, as by `LayerByLayer`.  num_rounds: how often all layers are
    gone through at most; a first layer is judged by layers behind it that are not tuned yet, unless they were right to
    begin with, and so may be wrong after one round.
    """

    kind: Literal["exhaustive"] = "exhaustive"
    num_rounds: Annotated[int, Field(ge=1)] = 1
    knobs: tuple[Literal["integration_time", "offset", "gain"], ...] = ("integration_time",)

    @model_validator(mode="after")
    def _knobs_begin_with_times(self) -> Self:
        if self.knobs[:1] != ("integration_time",):
            raise ValueError(
                "knobs: need integration_time first, since it is what is tried, then offset, then gain"
            )
        _check_lines(self.knobs)
        return self


def _check_lines(knobs: tuple[LayerKnob, ...]) -> None:
    if len(set(knobs)) < len(knobs):
        raise ValueError(f"knobs: some are named twice: {', '.join(knobs)}")
    if "gain" in knobs and "offset" not in knobs[: knobs.index("gain")]:
        raise ValueError("knobs: a line has an offset: put offset before gain, or leave gain out")


@saved
class TwoStages(Config):
    """First the mapping in a simulator of nominal chips, then the registers on the chips (PTSS: Yu et al. 2025).

    Stage 1 measures the error of every layer with every number of `copies` and `row_copies` and every input mode, and
    how much each layer's error hurts the network's outputs; a knapsack finds the choice of least harm that fits into
    the system. Stage 2 programs the chips anew and tunes them by `layers`.

    copies, row_copies: the numbers to try.  modes: input modes by kind; None for all that the drivers do.
    threshold: error of a layer (NMSE) below which it counts as good, so that what is left to choose is cheap.
    array_price, cycle_price: harm that all of the system's cells, or the most cycles, are worth, as a share of the harm
        of the mapping as it is: ties go to small and quick mappings.
    fill: share of the system's cells that copies may fill; lowered by a twentieth whenever no placement is found.
    num_draws: simulated sets of chips that errors are averaged over.  num_vectors: as for `layers`, in the simulator.
    layers: how the chips are tuned in the end, and on which samples; its limits are of stage 2 alone.
    """

    kind: Literal["two_stages"] = "two_stages"
    copies: Annotated[tuple[Annotated[int, Field(ge=1, le=64)], ...], Field(min_length=1)] = (1, 2, 4)
    row_copies: Annotated[tuple[Annotated[int, Field(ge=1, le=64)], ...], Field(min_length=1)] = (1, 2)
    modes: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    threshold: Annotated[float, Field(ge=0)] = 0.002
    array_price: Annotated[float, Field(ge=0)] = 0.01
    cycle_price: Annotated[float, Field(ge=0)] = 0.01
    fill: Annotated[float, Field(gt=0, le=1)] = 0.98
    num_draws: Annotated[int, Field(ge=1)] = 1
    num_vectors: Annotated[int, Field(ge=16)] = 256
    layers: LayerByLayer = LayerByLayer()
