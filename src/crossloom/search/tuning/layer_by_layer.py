"""Layer by layer (SSAT): each layer's registers and lines, on what the tuned layers before it gave."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch

from crossloom.calibration import Arrival, propagate
from crossloom.programming import LayerCorrection, ProgrammedChips
from crossloom.search.tuning.config import LayerByLayer
from crossloom.search.tuning.layer import Choice, choose_settings, draw_pair, sweep_cost
from crossloom.search.tuning.reference import Reference, make_reference
from crossloom.search.tuning.registers import check_voltages_are_known
from crossloom.search.tuning.result import LayerTuning, Scores, TuningResult
from crossloom.search.tuning.samples import Data, Part, split
from crossloom.search.tuning.scoring import (
    Judge,
    Spending,
    gains,
    make_corrections,
    make_judge,
    mvms_per_sample,
    with_layers,
)


def tune_layer_by_layer(
    chips: ProgrammedChips, data: Data, config: LayerByLayer, reference: Reference | None = None
) -> TuningResult:
    """Tune the registers of every layer; what each knob is worth is told by the network's scores with the knobs so far.

    A knob that does not lower the error of the whole network on the samples held out is not taken.
    """
    if config.read_voltages:
        check_voltages_are_known(chips.placement.system)
    tuned, held = split(chips, data, config.num_samples, config.held_out)
    reference = reference or make_reference(chips, tuned, config.reference)
    spending = _spending(chips, tuned, config)
    judge = make_judge(held, reference, spending, config.seed)
    before = judge(chips)
    spending.note(before.error)
    work = _Work(chips, config, reference, spending)
    notes = work.go(tuned, len(held))
    return _judged(work, judge, before, [*notes, f"reference: {reference.kind}"])


def _spending(chips: ProgrammedChips, tuned: Part, config: LayerByLayer) -> Spending:
    per_evaluation = sum(mvms_per_sample(chips).values()) * len(tuned)
    return Spending(per_evaluation, config.max_evaluations, config.max_seconds)


@dataclass
class _Work:
    """The layers tuned so far."""

    chips: ProgrammedChips
    config: LayerByLayer
    reference: Reference
    spending: Spending
    choices: dict[str, Choice] = field(default_factory=dict)

    @property
    def present(self) -> Mapping[str, LayerCorrection]:
        """What the chips came with."""
        found = {} if self.chips.corrections is None else self.chips.corrections.layers
        return {name: found.get(name, LayerCorrection()) for name in self.chips.placement.mapped.schemes}

    def go(self, tuned: Part, num_held: int) -> list[str]:
        """Send the samples through once, and tune every layer that they come to; notes on what was left out."""
        present, costs = self.present, mvms_per_sample(self.chips)
        left = sum(costs.values()) * (
            len(tuned) + num_held * len(self.config.knobs)
        )  # this pass, and the scores

        def visit(arrival: Arrival) -> torch.Tensor:
            nonlocal left
            name = arrival.node.name
            self._tune(arrival, left)
            passed = costs[name] * len(tuned)
            self.spending.num_mvms += passed
            left -= passed
            choice = self.choices.get(name)
            return arrival.answer(present[name] if choice is None else choice.corrections[-1])

        try:
            propagate(self.chips, tuned.samples, present, visit, self.config.seed)
        except KeyboardInterrupt:
            return [f"interrupted: {len(self.choices)} of {len(present)} layers are tuned"]
        if len(self.choices) < len(present):
            return [f"the budget has room for {len(self.choices)} of {len(present)} layers"]
        return []

    def corrections(self, number: int) -> dict[str, LayerCorrection]:
        """Those of all layers, with the first `number` knobs."""
        chosen = {name: choice.corrections[number] for name, choice in self.choices.items()}
        return {**self.present, **chosen}

    def _tune(self, arrival: Arrival, left: int) -> None:
        """Tune the layer, if the budget has room for it and for the MVMs that are left to do in any case."""
        node, config = arrival.node, self.config
        vectors = draw_pair(arrival, config.num_vectors, config.seed)
        asked = (
            self.chips,
            node,
            vectors,
            self.present[node.name],
            config.knobs,
            config.read_voltages,
        )
        if not self.spending.allows(sweep_cost(*asked) + left):
            return
        choice = choose_settings(*asked, self.reference, config.seed)
        self.choices[node.name] = choice
        self.spending.num_mvms += choice.num_mvms


def _judged(work: _Work, judge: Judge, before: Scores, notes: list[str]) -> TuningResult:
    """The result, with as many knobs as give the network the least error on the samples held out."""
    knobs, chips = work.config.knobs, work.chips
    scores = [before]
    try:
        for number in range(1, len(knobs) + 1):
            scores.append(_score(work, judge, number, scores[-1]))
    except KeyboardInterrupt:
        notes.append(f"interrupted, and not judged: {', '.join(knobs[len(scores) - 1 :])}")
    best = min(range(len(scores)), key=lambda number: scores[number].error)
    if work.choices and best < len(scores) - 1:
        refused = ", ".join(knobs[best : len(scores) - 1])
        notes.append(f"not taken, since the network's error is no smaller with them: {refused}")
    layers = tuple(_told(work, name, choice, best) for name, choice in work.choices.items())
    found = work.corrections(best)
    return TuningResult(
        "layer by layer",
        before,
        scores[best],
        layers,
        gains(knobs, [*scores[: best + 1], *[scores[best]] * (len(knobs) - best)]),
        tuple(work.spending.trajectory),
        work.spending.num_evaluations,
        work.spending.num_mvms,
        tuple(notes),
        found=make_corrections(chips, found),
        chips=with_layers(chips, found) if best else chips,
    )


def _score(work: _Work, judge: Judge, number: int, before: Scores) -> Scores:
    """That of the network with the first `number` knobs, given that with one less."""
    choices = work.choices.values()
    is_new = any(choice.corrections[number] is not choice.corrections[number - 1] for choice in choices)
    score = judge(with_layers(work.chips, work.corrections(number))) if is_new else before
    work.spending.note(score.error)
    return score


def _told(work: _Work, name: str, choice: Choice, number: int) -> LayerTuning:
    errors = choice.errors
    worth = {knob: errors[place] - errors[place + 1] for place, knob in enumerate(work.config.knobs[:number])}
    before, after = (_settings(work, name, choice.corrections[place]) for place in (0, number))
    return LayerTuning(name, errors[0], errors[number], before, after, worth)


def _settings(work: _Work, name: str, correction: LayerCorrection) -> dict[str, float]:
    """Means over the layer's tiles of its registers, and root mean squares of its lines (in sums of products)."""
    mapped = work.chips.placement.mapped
    tiles = [(correction.of(number), mapped.tile(number)) for number in work.chips.placement.numbers_of(name)]
    found = {
        "integration_time": _mean([own.integration_time or tile.integration_time for own, tile in tiles])
    }
    nominal = work.chips.placement.system.macro.dac.read_voltage
    if nominal is not None:
        found["read_voltage"] = _mean([own.read_voltage or nominal for own, _ in tiles])
    offsets = [own.offset.square().mean().sqrt().item() for own, _ in tiles if own.offset is not None]
    deviations = [(own.gain - 1).square().mean().sqrt().item() for own, _ in tiles if own.gain is not None]
    return {**found, "offset": _mean(offsets), "gain": 1 + _mean(deviations)}


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0
