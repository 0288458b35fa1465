"""What tuning gains on the eight-chip system of Yu et al. (Nat. Commun. 16, 2123, 2025), on many sets of chips.

    python recipes/tune_c200.py --model digits|lenet|resnet32 --data DIR [--images N] [--chips N] [--seed N]
        [--levels 0.06 0.1] [--exhaustive N] [--genetic N] [--genetic-points N N] [--output DIR]

DIR holds MNIST, or cifar-10-batches-py; digits need none. Every network was trained as mapped, so that the rule of the
paper, n = 63 s_x s_w / s_out, says at which register each layer's converters have the range that they learned.

The simulator in which stage 1 chooses copies and modes knows the nominal chip: its programmed error, and that its
converters have offsets. The chips have more: GAIN_ERROR, VARIATION and WIRES below, which are assumed, not published,
and offsets and errors of cells of their own. Tuning sees training images; accuracy is that of test images.

What is there in OUTPUT already is not run again. The last line is one JSON object.
"""

import argparse
import json
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from cifar import accuracy
from evaluation import at_level, summarise
from tuning_networks import CASES, SYSTEM, Case

import crossloom as xl
from crossloom.mapping import MappedGraph
from crossloom.search.tuning import (
    MappingChoice,
    choose_reference,
    plan_mapping,
    tune_exhaustively,
    tune_in_two_stages,
)
from crossloom.spec import Wires

GAIN_ERROR = 0.03  # assumed: standard deviation over converters
VARIATION = 0.02  # assumed: share by which all cells of a chip settle away from their targets
WIRES = Wires(0.2, 0.2)  # assumed: ohm between neighbouring cells, along rows and columns
FIXED_TIME = 10.0  # one register for all layers, for want of a rule: best for the published check's layer
PUBLISHED_EVALUATIONS = 20_000  # 100 individuals for 200 generations
ALL = ("integration_time", "offset", "gain")
SHARED = {"num_samples": 64, "held_out": 0.25}
LINES = xl.LayerByLayer(knobs=ALL, **SHARED)
TIMES = xl.LayerByLayer(knobs=ALL[:1], **SHARED)


@dataclass
class Store:
    """Figures by name, kept at once."""

    path: Path
    found: dict[str, dict] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.path.exists():
            self.found = json.loads(self.path.read_text())

    def get(self, name: str, make: Callable[[], dict]) -> dict:
        """What is known under this name, or is made now."""
        if name not in self.found:
            self.found[name] = make()
            with xl.artefacts.atomic_path(self.path) as temporary:
                temporary.write_text(json.dumps(self.found, indent=1))
            print(f"{name}: {json.dumps(self.found[name])}", flush=True)
        return self.found[name]


def real(system: xl.SystemSpec) -> xl.SystemSpec:
    """The chips as they are: what the simulator knows, and what it does not."""
    macro = system.macro
    cell = macro.cell.replace(device=macro.cell.device.replace(variation=VARIATION))
    crossbar = macro.crossbar.replace(cell=cell, wires=WIRES)
    readout = macro.readout.replace(gain_error=GAIN_ERROR)
    return system.with_macro(macro.replace(crossbar=crossbar, readout=readout))


def at_fixed_time(mapped: MappedGraph) -> MappedGraph:
    """Every tile at the same register."""
    return mapped.with_integration_times(dict.fromkeys(range(len(mapped.tiles)), FIXED_TIME))


@dataclass
class Level:
    """One programmed error: the placement of the nominal system, and the mapping that stage 1 chose."""

    case: Case
    level: float
    options: argparse.Namespace
    store: Store

    def __post_init__(self) -> None:
        system = at_level(xl.load_system(SYSTEM), self.level)
        batches = list(self.case.tuning.inputs[:256].split(64))
        self.placement = xl.compile(self.case.model, system, data=batches)
        self.actual = real(system)
        self.ways = xl.TwoStages(layers=LINES)
        self.mapping = self._mapping()

    def _mapping(self) -> MappingChoice:
        """Stage 1, once for all chips."""
        path = (
            self.options.output
            / f"{self.options.model}-{self.options.training_seed}-{self.level:g}-mapping.xloom"
        )

        def choose() -> dict:
            nominal = xl.attach(self.placement, xl.simulate(self.placement.system))
            chosen = plan_mapping(nominal, self.case.tuning, self.ways)
            chosen.placement.save(path)
            options = {name: str(option) for name, option in chosen.options.items()}
            return {"options": options, "num_mvms": chosen.num_mvms, "notes": list(chosen.notes)}

        known = self.store.get(f"{self.options.model} {self.level:g} mapping", choose)
        return MappingChoice(xl.Placement.load(path), {}, {}, known["num_mvms"])

    def score(self, chips: xl.ProgrammedChips) -> float:
        """Accuracy on the test images."""
        outputs = xl.run(chips, self.case.test.inputs, probe_samples=0).outputs
        return accuracy(outputs, self.case.test.labels)

    def programmed(self, placement: xl.Placement, seed: int) -> xl.ProgrammedChips:
        """One set of chips."""
        return xl.program(placement, xl.simulate(self.actual, seed=seed), xl.DirectSet())

    def known(self, seed: int, name: str, make: Callable[[], dict]) -> dict:
        """Figures of one set of chips."""
        return self.store.get(
            f"{self.options.model} {self.level:g} {self.options.images} {seed} {name}", make
        )

    def chips(self, seed: int, number: int) -> dict[str, dict]:
        """All columns of the table for one set of chips, the `number`-th."""
        rule = _Once(lambda: self.programmed(self.placement, seed))
        fixed = self.placement.with_mapped(at_fixed_time(self.placement.mapped))
        found = {
            "fixed": self.known(
                seed, "fixed", lambda: {"accuracy": self.score(self.programmed(fixed, seed))}
            ),
            "rule": self.known(seed, "rule", lambda: {"accuracy": self.score(rule())}),
            "registers": self.known(seed, "registers", lambda: self._tuned(rule(), TIMES)),
            "registers_and_lines": self.known(
                seed, "registers and lines", lambda: self._tuned(rule(), LINES)
            ),
            "stage_1": self.known(
                seed,
                "stage 1",
                lambda: {"accuracy": self.score(self.programmed(self.mapping.placement, seed))},
            ),
            "stage_2": self.known(seed, "stage 2", lambda: self._two_stages(rule())),
        }
        if number < self.options.exhaustive:
            found |= self._exhaustive(seed, rule)
        if number < self.options.genetic:
            found |= self._genetic(seed, rule)
        return found

    def _tuned(self, chips: xl.ProgrammedChips, way: object) -> dict:
        result = xl.tune(chips, self.case.tuning, way, strategy=xl.DirectSet())
        return self._told(result)

    def _two_stages(self, chips: xl.ProgrammedChips) -> dict:
        found = tune_in_two_stages(chips, self.case.tuning, self.ways, xl.DirectSet(), self.mapping)
        return self._told(found)

    def _told(self, result: xl.TuningResult) -> dict:
        assert result.chips is not None
        return {
            "accuracy": self.score(result.chips),
            "evaluations": round(result.num_evaluations, 2),
            "worth": {name: round(value, 4) for name, value in result.worth.items()},
            "held_out": [result.before.accuracy, result.after.accuracy],
            "notes": list(result.notes),
        }

    def _exhaustive(self, seed: int, rule: "_Once") -> dict[str, dict]:
        """Every register of every layer: as mapped at first, and with the mapping and the lines of both stages."""
        times = xl.Exhaustive(num_rounds=2, **SHARED)
        lines = xl.Exhaustive(knobs=ALL, num_rounds=2, **SHARED)

        def search_all() -> dict:
            mapped = self.programmed(self.mapping.placement, seed)
            reference = choose_reference(
                rule(), self.case.tuning, lines
            )  # as in stage 2: of the rule's times
            return self._told(tune_exhaustively(mapped, self.case.tuning, lines, reference))

        return {
            "exhaustive_registers": self.known(
                seed, "exhaustive registers", lambda: self._tuned(rule(), times)
            ),
            "exhaustive_all": self.known(seed, "exhaustive all", search_all),
        }

    def _genetic(self, seed: int, rule: "_Once") -> dict[str, dict]:
        """The published search, shortened: registers, copies and modes of all layers as genes."""
        found = {}
        for points in self.options.genetic_points:
            name = f"genetic {points}"
            found[name] = self.known(
                seed, name, lambda points=points: self._tuned(rule(), self._genes(points))
            )
        return found

    def _genes(self, points: int) -> object:
        from crossloom.search import Budget, Choice, Genetic, Int

        genes: dict = {}
        modes = [mode.kind for mode in self.placement.system.macro.input_modes]
        for layer in self.placement.mapped.schemes:
            genes[f"mapping.layers.{layer}.integration_time"] = Int(1, 63)
            genes[f"mapping.layers.{layer}.copies"] = Choice(list(self.ways.copies))
            genes[f"mapping.layers.{layer}.input_mode"] = Choice(modes)
        population = min(100, max(points // 20, 10))
        return xl.Knobs(genes, sampler=Genetic(population=population), budget=Budget(points=points), **SHARED)


class _Once:
    """Made at the first call."""

    def __init__(self, make: Callable[[], xl.ProgrammedChips]) -> None:
        self._make, self._made = make, None

    def __call__(self) -> xl.ProgrammedChips:
        self._made = self._made or self._make()
        return self._made


def table(found: list[Mapping[str, dict]]) -> dict[str, dict]:
    """Accuracy and evaluations of every column over chips; columns of fewer chips say of how many."""
    columns = {}
    for name in dict.fromkeys(name for chips in found for name in chips):
        cells = [chips[name] for chips in found if name in chips]
        columns[name] = summarise([cell["accuracy"] for cell in cells])
        evaluations = [cell["evaluations"] for cell in cells if "evaluations" in cell]
        columns[name] |= {"evaluations": statistics.mean(evaluations)} if evaluations else {}
    worth = [cell["stage_2"]["worth"] for cell in found]
    columns["worth_of_stage_2"] = {name: statistics.mean(item[name] for item in worth) for name in worth[0]}
    return columns | recovered(columns)


def recovered(columns: dict[str, dict]) -> dict:
    """Share of the gap between the rule and the exhaustive searches that tuning closed, on the chips that have both."""

    def share(tuned: str, best: str) -> float | None:
        number = len(columns[best]["chips"])
        means = [statistics.mean(columns[name]["chips"][:number]) for name in ("rule", tuned, best)]
        gap = means[2] - means[0]
        return (means[1] - means[0]) / gap if gap > 0 else None

    if "exhaustive_all" not in columns:
        return {}
    return {
        "recovered_registers": share("registers", "exhaustive_registers"),
        "recovered_all": share("stage_2", "exhaustive_all"),
    }


def show(level: float, columns: dict[str, dict]) -> None:
    """One line per column."""
    print(f"programmed error {level:g}")
    for name, cell in columns.items():
        if isinstance(cell, dict) and "mean" in cell:
            evaluations = f"{cell['evaluations']:>10.1f} evaluations" if "evaluations" in cell else ""
            number = len(cell["chips"])
            print(f"{name:>22} {cell['mean']:>8.2%} +- {cell['std']:>6.2%} of {number} chips {evaluations}")
    print(flush=True)


def main() -> None:
    options = parse()
    torch.set_num_threads(1)
    options.output.mkdir(parents=True, exist_ok=True)
    case = CASES[options.model](options.output, options.data, options.images, options.training_seed)
    store = Store(options.output / f"{options.model}-{options.training_seed}.json")
    levels = {}
    for level in options.levels:
        work = Level(case, level, options, store)
        found = [work.chips(options.seed + number, number) for number in range(options.chips)]
        levels[f"{level:g}"] = table(found)
        show(level, levels[f"{level:g}"])
    figures = {
        "model": options.model,
        "system": SYSTEM,
        "images": len(case.test),
        "tuning_images": len(case.tuning),
        "chips": options.chips,
        "gain_error": GAIN_ERROR,
        "variation": VARIATION,
        "wires": WIRES.model_dump(),
        "published_evaluations": PUBLISHED_EVALUATIONS,
        "levels": levels,
    }
    print(json.dumps(figures))


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", choices=CASES, default="digits")
    parser.add_argument("--data", type=Path, default=None)
    parser.add_argument("--images", type=int, default=450, help="test images")
    parser.add_argument("--chips", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0, help="of the first set of chips")
    parser.add_argument("--training-seed", type=int, default=0)
    parser.add_argument("--levels", type=float, nargs="+", default=[0.06, 0.1])
    parser.add_argument("--exhaustive", type=int, default=3, help="chips that are searched exhaustively too")
    parser.add_argument("--genetic", type=int, default=1, help="chips that the genetic search runs on")
    parser.add_argument("--genetic-points", type=int, nargs="+", default=[100])
    parser.add_argument("--output", type=Path, default=Path("out/tune"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
