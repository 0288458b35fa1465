"""What tuning found: the scores before and after, every layer's settings, and what each knob was worth."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from textwrap import wrap
from typing import Any

from crossloom.artefacts import Artefact, saved
from crossloom.errors import ProgramError
from crossloom.programming import Corrections, ProgrammedChips


@saved
@dataclass(frozen=True)
class Scores:
    """How good chips are on samples that took no part in tuning.

    accuracy: share of labels met, None without labels.  error: square error of the outputs over the square of the
    reference's (NMSE).  num_samples: of how many samples.
    """

    accuracy: float | None
    error: float
    num_samples: int


@saved
@dataclass(frozen=True)
class LayerTuning:
    """One layer: its error (NMSE) on vectors held out, with the settings it had and with those it got.

    settings_before, settings_after: means over the layer's tiles, by the name of the knob.  worth: the error that each
    knob took away, given those named before it; they add up to error_before - error_after.
    """

    layer: str
    error_before: float
    error_after: float
    settings_before: Mapping[str, float] = field(repr=False)
    settings_after: Mapping[str, float] = field(repr=False)
    worth: Mapping[str, float] = field(repr=False)


@saved
@dataclass(frozen=True)
class TuningResult(Artefact):
    """Tuned chips, and how they came to be.

    chips: ready to run; None in a result that was loaded: chips are saved by themselves, and `with_calibration` of
        chips that were programmed alike takes a result.
    found: corrections of these chips; None where they have none, since another mapping or system was the find.
    before, after: scores on samples held out.
    worth: what each knob adds to the accuracy there, given those named before it; without labels, what it takes from
        the error.
    trajectory: (network evaluations so far, least error so far): of the network on samples held out; where whole
        networks are what is searched, in `Knobs` and `Exhaustive`, on the samples to tune with.
    num_evaluations: passes of one tuning batch through the whole network, or their equal in MVMs.
    num_mvms: of tiles, on the chips and in the simulator that stands for them; what a reference takes is not counted.
    """

    method: str
    before: Scores
    after: Scores
    layers: tuple[LayerTuning, ...] = field(repr=False)
    worth: Mapping[str, float]
    trajectory: tuple[tuple[float, float], ...] = field(repr=False)
    num_evaluations: float
    num_mvms: int
    notes: tuple[str, ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    found: Corrections | None = field(default=None, repr=False)
    chips: ProgrammedChips | None = field(default=None, repr=False, compare=False)

    @property
    def corrections(self) -> Corrections:
        """What was found, for `chips.with_calibration(result)`."""
        if self.found is None:
            raise ProgramError("this tuning found no corrections; use result.chips, or the values it names")
        return self.found

    def to_saved(self) -> Any:
        """Everything but the chips."""
        return replace(self, chips=None)

    def summary(self) -> str:
        """Scores, worth of knobs, and the layers that gained most; at most 100 columns."""
        lines = [f"TuningResult ({self.method}): {self.num_evaluations:.1f} network evaluations"]
        lines += [
            f"  {_shown(name, score)}" for name, score in (("before", self.before), ("after", self.after))
        ]
        unit = " points" if self.after.accuracy is not None else " of the error"
        lines += [f"  {name}: {_worth(value, unit)}" for name, value in self.worth.items()]
        lines += [f"  {name} = {value}" for name, value in self.values.items()]
        lines += [_line(layer) for layer in self.layers]
        lines += [f"note: {note}" for note in self.notes]
        return "\n".join(part for line in lines for part in wrap(line, 100, subsequent_indent="    "))


def _shown(name: str, scores: Scores) -> str:
    accuracy = "" if scores.accuracy is None else f"accuracy {scores.accuracy:.2%}, "
    return f"{name}: {accuracy}error {scores.error:.3g} ({scores.num_samples} samples held out)"


def _worth(value: float, unit: str) -> str:
    return f"{100 * value:+.2f}{unit}" if unit == " points" else f"{-value:+.3g}{unit}"


def _line(layer: LayerTuning) -> str:
    changed = [
        f"{name} {before:.4g} to {layer.settings_after[name]:.4g}"
        for name, before in layer.settings_before.items()
        if layer.settings_after.get(name, before) != before
    ]
    error = f"{layer.error_before:.3g} to {layer.error_after:.3g}"
    return f"  {layer.layer[:32]}: error {error}{'; ' if changed else ''}{', '.join(changed)}"
