"""Scores of the whole network, and what they took."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from crossloom.mapping import vectors_per_sample
from crossloom.programming import Corrections, LayerCorrection, ProgrammedChips
from crossloom.runtime import run
from crossloom.search.tuning.reference import Reference, share_met
from crossloom.search.tuning.result import Scores
from crossloom.search.tuning.samples import Part


@dataclass
class Spending:
    """What a tuning has done so far: MVMs of tiles, and seconds; and what a network evaluation takes.

    An evaluation is one pass of all samples to tune with through the whole network.
    """

    mvms_per_evaluation: int
    max_evaluations: float | None = None
    max_seconds: float | None = None
    num_mvms: int = 0
    trajectory: list[tuple[float, float]] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    @property
    def num_evaluations(self) -> float:
        return self.num_mvms / max(self.mvms_per_evaluation, 1)

    def allows(self, num_mvms: int) -> bool:
        """Whether the budget has time left, and room for so many more MVMs."""
        if self.max_seconds is not None and time.monotonic() - self.began >= self.max_seconds:
            return False
        most = self.max_evaluations
        return most is None or self.num_mvms + num_mvms <= most * self.mvms_per_evaluation

    def note(self, error: float) -> None:
        """Another point of the trajectory: the least error so far."""
        least = min([error, *(known for _, known in self.trajectory[-1:])])
        self.trajectory.append((self.num_evaluations, least))


def mvms_per_sample(chips: ProgrammedChips) -> dict[str, int]:
    """MVMs of tiles that one sample takes in every layer on the chips."""
    mapped = chips.placement.mapped
    vectors = vectors_per_sample(mapped.quantized.graph)
    return {name: vectors[name] * len(tiles) for name, tiles in mapped.tiles_of.items()}


@dataclass(frozen=True)
class Judge:
    """Scores chips on samples, against the outputs of the reference."""

    part: Part
    wanted: torch.Tensor = field(repr=False)
    spending: Spending = field(repr=False)
    seed: int

    def __call__(self, chips: ProgrammedChips) -> Scores:
        """Run the samples; the error is that of the first output."""
        outputs = run(chips, self.part.samples, probe_samples=0, seed=self.seed).outputs
        self.spending.num_mvms += sum(mvms_per_sample(chips).values()) * len(self.part)
        first = outputs if isinstance(outputs, torch.Tensor) else outputs[0]
        return Scores(share_met(first, self.part.labels), output_error(first, self.wanted), len(self.part))


def make_judge(part: Part, reference: Reference, spending: Spending, seed: int) -> Judge:
    """A judge for these samples."""
    return Judge(part, reference.outputs(part.samples), spending, seed)


def output_error(outputs: torch.Tensor, wanted: torch.Tensor) -> float:
    """Square error over the square of what was wanted."""
    power = wanted.double().square().sum().item()
    return (outputs.double() - wanted.double()).square().sum().item() / power if power else 0.0


def with_layers(chips: ProgrammedChips, layers: dict[str, LayerCorrection]) -> ProgrammedChips:
    """The chips with these corrections."""
    return chips.with_calibration(Found(make_corrections(chips, layers)))


def make_corrections(chips: ProgrammedChips, layers: dict[str, LayerCorrection]) -> Corrections:
    """Corrections for these chips."""
    return Corrections(chips.placement.system.name, *chips.digests, dict(layers))


@dataclass(frozen=True)
class Found:
    """Corrections as something that brings them."""

    corrections: Corrections


def gains(knobs: Sequence[str], scores: Sequence[Scores]) -> dict[str, float]:
    """What each knob adds to the accuracy of the one before (or takes from the error); `scores` begin before all."""
    steps = zip(knobs, scores[:-1], scores[1:], strict=True)
    return {
        name: old.error - new.error
        if old.accuracy is None or new.accuracy is None
        else new.accuracy - old.accuracy
        for name, old, new in steps
    }
