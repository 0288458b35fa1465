"""What one point of a search is worth: the model compiled, programmed, run and accounted for. Needs torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, sqrt
from random import Random
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

import torch

from crossloom.cli.models import find_fixed_batch, load_model
from crossloom.cli.samples import load_calibration, load_samples
from crossloom.cli.steps import fit_samples, program_simulated
from crossloom.cli.sweep_file import SweepFile
from crossloom.cost import account
from crossloom.datasets import Dataset
from crossloom.errors import CrossloomError, DataError
from crossloom.mapping import MappingConfig
from crossloom.pipeline import compile, import_model, learned_layers
from crossloom.placement import Placement, PlacementConfig
from crossloom.programming import ProgrammedChips
from crossloom.quant import QuantConfig
from crossloom.runtime import RunResult, run
from crossloom.search import Outcome, Space

if TYPE_CHECKING:
    from torch.export import ExportedProgram
    from torch.nn import Module

    from crossloom.graph import Graph

_COSTS = frozenset(
    [
        "energy",
        "latency",
        "interval",
        "power",
        "area",
        "operations_per_second",
        "operations_per_joule",
        "operations_per_area",
    ]
)
_FEWEST, _TRIED = 16, 32


def judge(values: Mapping[str, Any], fidelity: float = 1.0, *, settings: str) -> Outcome:
    """The objective of `crossloom sweep`: a point's values in, its goals out; the same in every process.

    settings: of `SweepFile.settings`.
    """
    return Candidate(SweepFile.of_settings(settings))(values, fidelity)


@dataclass(frozen=True)
class Candidate:
    """How points are judged, as a search's file says."""

    file: SweepFile

    def __call__(self, values: Mapping[str, Any], fidelity: float = 1.0) -> Outcome:
        """Mean of every goal over the sets of chips, with its standard error where there are several.

        fidelity: the share of the images that are answered.
        """
        placement = self.place(values)
        dataset, size = fit_samples(placement, self._samples(fidelity), None)
        reference, found = None, []
        for seed in range(self.file.seed, self.file.seed + self.file.chips):
            chips = program_simulated(placement, seed)
            if reference is None and "agreement" in self.file.goals:
                reference = _classes(
                    run(chips, dataset.inputs, batch_size=size, mode="float", probe_samples=0)
                )
            result = run(chips, dataset.inputs, batch_size=size, seed=seed, probe_samples=0)
            found.append(self._measure(chips, result, dataset, reference))
        means = {goal: fmean(figures[goal] for figures in found) for goal in self.file.goals}
        if len(found) == 1:
            return Outcome(values=means)
        errors = {
            goal: stdev(figures[goal] for figures in found) / sqrt(len(found)) for goal in self.file.goals
        }
        return Outcome(values=means, errors=errors)

    def place(self, values: Mapping[str, Any]) -> Placement:
        """The model on the system of these values; the errors of compiling when it cannot be."""
        file = self.file
        model, batches = _load(file.model, file.data, file.normalize, file.samples)
        return compile(model, file.make_system(values), list(batches), **self.configs(values))

    def check(self, space: Space) -> None:
        """Load model and data, and refuse a space of which no point can be, with the reason of one.

        That is so where a knob does not exist. A point that cannot be beside others that can is no error here: it
        fails, and the rest goes on.
        """
        draw = Random(0)
        points = [space.from_unit([draw.random() for _ in space.names]) for _ in range(_TRIED)]
        refusals = [self._refusal(values) for values in points]
        if all(refusals):
            raise refusals[0]  # type: ignore[misc]
        _load(self.file.model, self.file.data, self.file.normalize, self.file.samples)
        self._samples(1.0)

    def _refusal(self, values: Mapping[str, Any]) -> CrossloomError | None:
        try:
            self.file.make_system(values)
            self.configs(values)
        except CrossloomError as error:
            return error
        return None

    def configs(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Configurations of the stages. ConfigError for fields that are unknown or values that cannot be."""
        kinds = {"quant": QuantConfig, "mapping": MappingConfig, "placement": PlacementConfig}
        return {head: kind.parse(self.file.config_fields(head, values)) for head, kind in kinds.items()}

    def _samples(self, fidelity: float) -> Dataset:
        file = self.file
        dataset = _load_answered(file.data, file.split, file.normalize, file.images)
        number = min(max(ceil(fidelity * len(dataset)), _FEWEST), len(dataset))
        labels = None if dataset.labels is None else dataset.labels[:number]
        if "accuracy" in file.goals and labels is None:
            raise DataError(
                f"{dataset.name} has no labels: seek agreement, which needs none, or give other data"
            )
        return Dataset(dataset.inputs[:number], labels, dataset.name)

    def _measure(
        self, chips: ProgrammedChips, result: RunResult, dataset: Dataset, reference: torch.Tensor | None
    ) -> dict[str, float]:
        placement = chips.placement
        figures = {"num_macros": float(len(placement.macros)), "utilization": placement.utilization}
        if dataset.labels is not None and "accuracy" in self.file.goals:
            figures["accuracy"] = _share(_classes(result) == dataset.labels)
        if reference is not None:
            figures["agreement"] = _share(_classes(result) == reference)
        return figures | self._costs(chips, result)

    def _costs(self, chips: ProgrammedChips, result: RunResult) -> dict[str, float]:
        sought = _COSTS & self.file.goals.keys()
        if not sought:
            return {}
        cost = account(chips, result, self.file.table)
        return {goal: getattr(cost, goal) for goal in sought}


def _share(is_met: torch.Tensor) -> float:
    return is_met.double().mean().item()


def _classes(result: RunResult) -> torch.Tensor:
    outputs = result.outputs if isinstance(result.outputs, torch.Tensor) else result.outputs[0]
    if outputs.dim() != 2:
        raise DataError(
            f"accuracy and agreement need one number per class as the output, got {list(outputs.shape)}"
        )
    return outputs.argmax(1)


@lru_cache(maxsize=2)
def _load(
    model: str, data: str | None, normalize: str | None, num_samples: int
) -> "tuple[Graph | Module | ExportedProgram, tuple[torch.Tensor, ...]]":
    """The model and its calibration batches, once per process: traced, unless its layers carry what they learned."""
    loaded = load_model(model)
    batches = load_calibration(data, normalize, num_samples, find_fixed_batch(loaded))
    traced = import_model(loaded, (batches[0],))
    return (loaded if learned_layers(loaded, traced) else traced), tuple(batches)


@lru_cache(maxsize=2)
def _load_answered(data: str | None, split: str, normalize: str | None, limit: int) -> Dataset:
    return load_samples(data, split, normalize, limit)
