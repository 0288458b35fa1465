"""Every integration time of every layer, judged by the whole network: what cheaper ways are measured against."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch

from crossloom.calibration import Arrival, fit_columns, measure_settings, propagate
from crossloom.hardware import Draw
from crossloom.programming import LayerCorrection, ProgrammedChips
from crossloom.progress import track
from crossloom.search.tuning.config import Exhaustive
from crossloom.search.tuning.layer import draw_pair, settings_of
from crossloom.search.tuning.reference import Reference, make_reference
from crossloom.search.tuning.result import LayerTuning, TuningResult
from crossloom.search.tuning.samples import Data, Samples, split
from crossloom.search.tuning.scoring import (
    Spending,
    gains,
    make_corrections,
    make_judge,
    mvms_per_sample,
    output_error,
    with_layers,
)


def tune_exhaustively(
    chips: ProgrammedChips, data: Data, config: Exhaustive, reference: Reference | None = None
) -> TuningResult:
    """For each layer the time, the same for all of its tiles, at which the outputs of the network are best.

    reference: that of another mapping of the same network, to tune chips with a new one towards it.
    """
    tuned, held = split(chips, data, config.num_samples, config.held_out)
    reference = reference or make_reference(chips, tuned, config.reference)
    costs = mvms_per_sample(chips)
    spending = Spending(sum(costs.values()) * len(tuned), config.max_evaluations, config.max_seconds)
    judge = make_judge(held, reference, spending, config.seed)
    before = judge(chips)
    search = _Search(chips, config, tuned.samples, reference, costs, spending)
    notes = [*search.go(sum(costs.values()) * len(held)), f"reference: {reference.kind}"]
    found = with_layers(chips, search.corrections)
    after = judge(found)
    if after.error >= before.error:
        found, after = chips, before
        notes.append("not taken, since the network's error is no smaller on the samples held out")
    return TuningResult(
        "exhaustive",
        before,
        after,
        tuple(search.layers.values()),
        gains(("integration_time",), (before, after)),
        tuple(spending.trajectory),
        spending.num_evaluations,
        spending.num_mvms,
        tuple(notes),
        found=make_corrections(chips, {} if found.corrections is None else dict(found.corrections.layers)),
        chips=found,
    )


@dataclass
class _Search:
    """The corrections so far, and what the layers that are done have answered to the samples."""

    chips: ProgrammedChips
    config: Exhaustive
    samples: Samples
    reference: Reference
    costs: Mapping[str, int]
    spending: Spending
    wanted: torch.Tensor = field(init=False)
    answered: dict[str, torch.Tensor] = field(default_factory=dict)
    corrections: dict[str, LayerCorrection] = field(default_factory=dict)
    layers: dict[str, LayerTuning] = field(default_factory=dict)

    def __post_init__(self) -> None:
        found = {} if self.chips.corrections is None else self.chips.corrections.layers
        names = [
            node.name
            for node in self.chips.placement.mapped.quantized.graph.matrices
            if node.name in self.costs
        ]
        self.corrections = {name: found.get(name, LayerCorrection()) for name in names}
        self.wanted = self.reference.outputs(self.samples)

    def go(self, scoring: int) -> list[str]:
        """Go through all layers, round by round until one changes nothing; `scoring`: MVMs to leave in the budget.
        Notes on what was left out."""
        number = len(self.corrections)
        try:
            for _ in range(self.config.num_rounds):
                before = dict(self.corrections)
                self.answered.clear()
                for name in track(list(self.corrections), "trying every time", number):
                    if not self.spending.allows(self.cost(name) + scoring):
                        return [f"the budget has room for {len(self.layers)} of {number} layers"]
                    self._keep(self.tune(name))
                if all(self.corrections[name] is before[name] for name in before):
                    break
        except KeyboardInterrupt:
            return [f"interrupted: {len(self.layers)} of {number} layers are tuned"]
        return []

    def _keep(self, found: LayerTuning) -> None:
        """A layer as a later round left it has the settings and the error that it began with."""
        first = self.layers.get(found.layer, found)
        gain = {"integration_time": first.error_before - found.error_after}
        self.layers[found.layer] = replace(
            found, error_before=first.error_before, settings_before=first.settings_before, worth=gain
        )

    def cost(self, name: str) -> int:
        """MVMs that trying every time of one layer takes."""
        left = sum(number for layer, number in self.costs.items() if layer not in self.answered)
        num_settings = len(settings_of(self.chips, name, self.corrections[name], ("integration_time",)))
        tiles = len(self.chips.placement.numbers_of(name))
        lines = tiles * self.config.num_vectors * num_settings if "offset" in self.config.knobs else 0
        return left * len(self.samples[0]) * (num_settings + 2) + lines

    def tune(self, name: str) -> LayerTuning:
        """Try every time of one layer; the layers after it are as they are."""
        settings = self._settings(name)
        errors = [self._error(name, setting) for setting in settings]
        best = min(range(len(errors)), key=errors.__getitem__)
        before, after = (_times(self.chips, name, settings[place]) for place in (0, best))
        if best:
            self.corrections[name] = settings[best]
        self._error(name, self.corrections[name], keep=True)
        self.spending.note(errors[best])
        gain = {"integration_time": errors[0] - errors[best]}
        return LayerTuning(name, errors[0], errors[best], before, after, gain)

    def _settings(self, name: str) -> list[LayerCorrection]:
        """The present setting and every time, with lines if those are knobs."""
        found: list[LayerCorrection] = []

        def visit(arrival: Arrival) -> torch.Tensor:
            if arrival.node.name == name:
                found.extend(self._lined(arrival))
            return self._answer(arrival, self.corrections[arrival.node.name])

        propagate(self.chips, self.samples, self.corrections, visit, self.config.seed)
        return found

    def _lined(self, arrival: Arrival) -> list[LayerCorrection]:
        node, config, present = arrival.node, self.config, self.corrections[arrival.node.name]
        settings = settings_of(self.chips, node.name, present, ("integration_time",))
        if "offset" not in config.knobs:
            return settings
        fit = draw_pair(arrival, config.num_vectors, config.seed).fit
        sums = measure_settings(self.chips, node, settings, fit, Draw(config.seed), self.reference.sums)
        self.spending.num_mvms += len(sums[0].parts) * fit.num_vectors * len(settings)
        has_gains = "gain" in config.knobs
        return [
            settings[0],
            *(fit_columns(*pair, has_gains) for pair in list(zip(sums, settings, strict=True))[1:]),
        ]

    def _error(self, name: str, correction: LayerCorrection, keep: bool = False) -> float:
        """Of the outputs, with this correction of one layer; `keep` its answer for the layers to come."""

        def visit(arrival: Arrival) -> torch.Tensor:
            if arrival.node.name != name:
                return self._answer(arrival, self.corrections[arrival.node.name])
            answer = self._answer(arrival, correction)
            if keep:
                self.answered[name] = answer
            return answer

        outputs = propagate(self.chips, self.samples, self.corrections, visit, self.config.seed)
        return output_error(outputs[0], self.wanted)

    def _answer(self, arrival: Arrival, correction: LayerCorrection) -> torch.Tensor:
        known = self.answered.get(arrival.node.name)
        if known is not None:
            return known.clone()
        self.spending.num_mvms += self.costs[arrival.node.name] * arrival.num_samples
        return arrival.answer(correction)


def _times(chips: ProgrammedChips, name: str, correction: LayerCorrection) -> dict[str, float]:
    mapped = chips.placement.mapped
    times = [
        correction.of(number).integration_time or mapped.tile(number).integration_time
        for number in chips.placement.numbers_of(name)
    ]
    return {"integration_time": sum(times) / len(times)}
