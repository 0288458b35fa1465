"""Search of a ReRAM design space: accuracy, area, time and energy of chips and the networks trained for them.

    python recipes/reram_design_space.py [--output out/reram] [--seeds 5] [--evaluations 60] [--share 0.1]
        [--methods NAMES]

Four searches with the same seeds: at continuous fidelity (fidelity: epochs of training; a tenth of the compute), by the
same rule with full evaluations only, NSGA-II, and random. Compute is counted in full evaluations: an evaluation of e of
the 30 epochs counts e / 30, also where its training is taken from a cache (`evaluations.jsonl`). Every search has a
store and goes on where it stopped. The designs and what they are worth: `reram_designs.py`.

Hypervolume: accuracy from 0.5 to 1, and area, time and energy in their logarithms between bounds of the space, each as
a share of its range. Searches of full evaluations are judged by what they evaluated; the one at continuous fidelity by
the designs that it recommends, with what these turn out to be in full, which is looked up without being charged, and by
the few that it evaluated in full itself. The last line is one JSON object.
"""

import argparse
import json
import statistics
from dataclasses import replace
from functools import cached_property
from math import log10
from pathlib import Path

import torch
from reram_designs import EPOCHS, EXACT, GOALS, SPACE, accuracy_of, cost_of

from crossloom.progress import track
from crossloom.search import (
    Budget,
    ContinuousFidelity,
    Genetic,
    Outcome,
    Point,
    Random,
    Sampler,
    Study,
    sweep,
)

BOUNDS = {"area": (1.5e-7, 1e-6), "time": (2e-7, 5e-6), "energy": (4e-9, 1e-7)}  # m², s, J: all of the space
LEAST_ACCURACY = 0.5
LEVELS = tuple(epoch / EPOCHS for epoch in range(1, EPOCHS))
METHODS: dict[str, Sampler] = {
    "continuous_fidelity": ContinuousFidelity(lowest=1 / EPOCHS, levels=LEVELS, exact=EXACT),
    "full_fidelity": ContinuousFidelity(lowest=1.0, exact=EXACT),
    "nsga2": Genetic(population=20),
    "random": Random(),
}
CHEAP = "continuous_fidelity"


class Evaluations:
    """What was evaluated, in a file of lines that is only added to."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @cached_property
    def _known(self) -> dict[str, dict[str, float]]:
        lines = self._path.read_text().splitlines() if self._path.exists() else []
        return {found["key"]: found["values"] for found in map(json.loads, lines)}

    def objective(self, values: dict, fidelity: float) -> Outcome:
        """Accuracy after a share of the epochs, and the costs, which no training changes."""
        epochs = max(1, round(fidelity * EPOCHS))
        key = SPACE.key(values)
        accuracy = self._get(f"{key} {epochs}", lambda: {"accuracy": accuracy_of(values, epochs, seed=0)})
        costs = self._get(key, lambda: cost_of(values))
        return Outcome({**accuracy, **costs}, cost=epochs / EPOCHS)

    def _get(self, key: str, make) -> dict[str, float]:
        if key not in self._known:
            self._known[key] = make()
            with self._path.open("a") as file:
                file.write(json.dumps({"key": key, "values": self._known[key]}) + "\n")
        return self._known[key]


def hypervolume(outcomes: list[Outcome]) -> float:
    """The share of the whole box of goals that these outcomes dominate."""
    from botorch.utils.multi_objective.hypervolume import Hypervolume
    from botorch.utils.multi_objective.pareto import is_non_dominated

    rows = [[_gain(goal, outcome.values[goal]) for goal in GOALS] for outcome in outcomes]
    values = torch.tensor(rows, dtype=torch.float64).reshape(-1, len(GOALS))
    values = values[(values > 0).all(1)]
    if not len(values):
        return 0.0
    return Hypervolume(torch.zeros(len(GOALS), dtype=torch.float64)).compute(values[is_non_dominated(values)])


def _gain(goal: str, value: float) -> float:
    if goal == "accuracy":
        return (value - LEAST_ACCURACY) / (1 - LEAST_ACCURACY)
    low, high = BOUNDS[goal]
    return log10(high / value) / log10(high / low)


def search(
    name: str, seed: int, budget: float, evaluations: Evaluations, options: argparse.Namespace
) -> Study:
    """One search, or what its store has of it."""
    return sweep(
        evaluations.objective,
        SPACE,
        GOALS,
        sampler=replace(METHODS[name]),
        budget=Budget(cost=budget),
        store=options.output / f"{name}-{seed}.db",
        seed=seed,
    )


def trace(name: str, study: Study, evaluations: Evaluations) -> list[dict[str, float]]:
    """Hypervolume against compute spent, after every point, or about fifteen times where designs are recommended."""
    points = [point for point in study.points if point.outcome is not None]
    sampler = METHODS[name]
    stride = max(1, len(points) // 15) if name == CHEAP else 1
    ends = sorted({*range(stride, len(points), stride), len(points)})
    rows = []
    for end in track(ends, f"{name}: what was recommended"):
        named = _recommended(sampler, points[:end], evaluations) if name == CHEAP else _outcomes(points[:end])
        spent = sum(point.cost for point in points[:end])
        own = hypervolume(_outcomes([point for point in points[:end] if point.fidelity >= 1]))
        reached = hypervolume(named)
        rows.append(
            {"compute": spent, "hypervolume": reached, "designs": len(named), "evaluated_in_full": own}
        )
    return rows


def _outcomes(points: list[Point]) -> list[Outcome]:
    return [point.outcome for point in points if point.outcome is not None]


def _recommended(sampler: Sampler, points: list[Point], evaluations: Evaluations) -> list[Outcome]:
    assert isinstance(sampler, ContinuousFidelity)
    return [evaluations.objective(dict(item.values), 1.0) for item in sampler.recommend(SPACE, GOALS, points)]


def seen_in_full(study: Study, evaluations: Evaluations) -> float:
    """Hypervolume of every design that was tried at any fidelity."""
    designs = {SPACE.key(point.values): dict(point.values) for point in study.points}
    return hypervolume([evaluations.objective(design, 1.0) for design in designs.values()])


def compute_to_reach(rows: list[dict[str, float]], goal: float) -> float | None:
    """Compute at which a hypervolume was first reached; None where it was not."""
    return next((row["compute"] for row in rows if row["hypervolume"] >= goal), None)


def spread(values: list[float]) -> dict:
    """Mean, standard deviation, and what they are of."""
    return {
        "mean": statistics.mean(values),
        "std": statistics.stdev(values) if len(values) > 1 else 0.0,
        "seeds": values,
    }


def at_compute(rows: list[dict[str, float]], budget: float) -> float:
    """The hypervolume that was reached within a budget."""
    return max((row["hypervolume"] for row in rows if row["compute"] <= budget + 1e-9), default=0.0)


def judge(traces: dict[str, list[list[dict[str, float]]]], options: argparse.Namespace) -> dict:
    """Hypervolumes of all methods at both budgets, and the compute that each needs for that of full fidelity."""
    full, cheap = float(options.evaluations), options.share * options.evaluations
    figures: dict = {"evaluations": options.evaluations, "share": options.share, "methods": {}}
    for name, runs in traces.items():
        found = {"at_share": spread([at_compute(rows, cheap + 1) for rows in runs])}
        if name != CHEAP:
            found["at_end"] = spread([at_compute(rows, full) for rows in runs])
        if "full_fidelity" in traces:
            pairs = zip(runs, traces["full_fidelity"], strict=True)
            reached = [compute_to_reach(rows, other[-1]["hypervolume"]) for rows, other in pairs]
            found["compute_to_reach_full_fidelity"] = reached
        figures["methods"][name] = found
    return figures


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, default=Path("out/reram"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--evaluations", type=int, default=60, help="of a search of full evaluations")
    parser.add_argument("--share", type=float, default=0.1, help="of that, for continuous fidelity")
    parser.add_argument("--methods", type=lambda text: text.split(","), default=list(METHODS))
    return parser.parse_args()


def main() -> None:
    options = parse()
    torch.set_num_threads(1)
    options.output.mkdir(parents=True, exist_ok=True)
    evaluations = Evaluations(options.output / "evaluations.jsonl")
    traces: dict[str, list[list[dict[str, float]]]] = {name: [] for name in options.methods}
    seen: list[float] = []
    for seed in range(options.seeds):
        for name in options.methods:
            budget = options.evaluations * (options.share if name == CHEAP else 1.0)
            study = search(name, seed, budget, evaluations, options)
            rows = trace(name, study, evaluations)
            traces[name].append(rows)
            seen += [seen_in_full(study, evaluations)] if name == CHEAP else []
            print(f"seed {seed}, {name}: hypervolume {rows[-1]['hypervolume']:.4f} "
                  f"of {rows[-1]['designs']} designs after {rows[-1]['compute']:.1f}", flush=True)  # fmt: skip
    figures = judge(traces, options)
    if seen:
        figures["hypervolume_of_all_tried"] = spread(seen)
        figures["num_recommended"] = spread([rows[-1]["designs"] for rows in traces[CHEAP]])
        figures["hypervolume_evaluated_in_full"] = spread(
            [rows[-1]["evaluated_in_full"] for rows in traces[CHEAP]]
        )
    (options.output / "traces.json").write_text(json.dumps(traces))
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
