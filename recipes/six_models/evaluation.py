"""One of the six on its chips: compiled once, then programmed and tuned, set of chips by set of chips."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

import crossloom as xl
from crossloom.datasets import Dataset
from crossloom.quant import interpret_integers
from crossloom.search.tuning import MappingChoice, plan_mapping, tune_in_two_stages
from recipes.evaluation import fingerprint
from recipes.six_models.task import Task, drawn
from recipes.six_models.training import SYSTEM, judge

COMPILING, TUNING, BATCH, MOST_CHIPS = 256, 256, 50, 64
# They were trained with their converters: what those clip and round is part of the network, so times, gains and input
# modes stay as they were learned, and chips get copies and offsets.
LAYERS = xl.LayerByLayer(knobs=("offset",), reference="nominal", num_samples=64, held_out=0.25)
STAGES = xl.TwoStages(modes=("bit_serial",), layers=LAYERS)


@dataclass
class Store:
    """Figures by name, written at once, so that nothing is run twice."""

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


class Deployment:
    """A network compiled for the system; its test samples; its figures, which are kept in `folder`.

    networks: the float one, and the one that learned its steps as mapped.  images: test samples, the first ones; all
    for None.
    """

    def __init__(
        self, task: Task, networks: tuple[nn.Module, nn.Module], data: Path, images: int | None, folder: Path
    ) -> None:
        self.task, (self.plain, self.learned), self.folder = task, networks, folder
        self.test = task.load(data, "test").first(images)
        self.some = drawn(task.load(data, "train"), max(COMPILING, TUNING))
        print(f"{task.title}: {len(self.test)} samples judge; it is compiled and placed", flush=True)
        self.placement = compile_on_chips(self.learned, self.some.inputs[:COMPILING])
        name = fingerprint(self.learned, self.placement.system, STAGES, COMPILING, TUNING)
        self.key = f"{task.name} {name} {len(self.test)}"
        folder.mkdir(parents=True, exist_ok=True)
        self.store = Store(folder / f"{task.name}.json")

    def digital(self) -> dict:
        """Scores in floating point, as integers and on ideal chips, and what the network takes of the system."""

        def measure() -> dict:
            quantized, ideal = self.placement.mapped.quantized, self.placement.system.noiseless()
            parts = [interpret_integers(quantized, (part,))[0] for part in self.test.inputs.split(BATCH)]
            return {
                "float": judge(self.task, self.plain, self.test),
                "integers": self.task.score(torch.cat(parts), self.test.targets),
                "ideal": self._score(xl.program(self.placement, xl.simulate(ideal), xl.DirectSet()), 0),
                "tiles": len(self.placement.mapped.tiles),
                "num_chips": self.placement.system.num_chips,
            }

        return self.store.get(f"{self.key} digital", measure)

    def chips(self, seed: int, report: Path | None = None) -> dict:
        """Scores of one set of chips: as programmed, and tuned in two stages."""

        def measure() -> dict:
            chips = xl.program(self.placement, xl.simulate(self.placement.system, seed=seed))
            programmed = self._score(chips, seed)
            result = tune_in_two_stages(chips, self._tuning_data(), STAGES, mapping=self._mapping())
            assert result.chips is not None
            tuned = self._score(result.chips, seed, report, result)
            return {
                "programmed": programmed,
                "tuned": tuned,
                "evaluations": round(result.num_evaluations, 1),
            }

        return self.store.get(f"{self.key} {seed}", measure)

    def _score(
        self,
        chips: xl.ProgrammedChips,
        seed: int,
        report: Path | None = None,
        tuning: xl.TuningResult | None = None,
    ) -> float:
        probes = 0 if report is None else 16
        result = xl.run(chips, self.test.inputs, batch_size=BATCH, probe_samples=probes, seed=seed)
        if report is not None:
            labels = self.test.targets if self.task.labels else None
            xl.Report(
                chips.placement, chips, result, labels=labels, title=self.task.title, tuning=tuning
            ).save(report)
        assert isinstance(result.outputs, Tensor)
        return self.task.score(result.outputs, self.test.targets)

    def _tuning_data(self) -> Dataset | Tensor:
        inputs, targets = self.some.inputs[:TUNING], self.some.targets[:TUNING]
        return Dataset(inputs, targets, self.task.title) if self.task.labels else inputs

    def _mapping(self) -> MappingChoice:
        """Stage 1, once for all sets of chips: it knows the nominal system only."""
        path = self.folder / f"{self.key.replace(' ', '-')}-mapping.xloom"

        def choose() -> dict:
            nominal = xl.attach(self.placement, xl.simulate(self.placement.system))
            chosen = plan_mapping(nominal, self._tuning_data(), STAGES)
            chosen.placement.save(path)
            options = {name: str(option) for name, option in chosen.options.items()}
            return {"options": options, "num_mvms": chosen.num_mvms}

        known = self.store.get(f"{self.key} mapping", choose)
        return MappingChoice(xl.Placement.load(path), {}, {}, known["num_mvms"])


def compile_on_chips(model: nn.Module, inputs: Tensor) -> xl.Placement:
    """Placed on the published eight chips, or on twice as many until it fits."""
    system = xl.load_system(SYSTEM)
    while True:
        try:
            return xl.compile(model, system, data=list(inputs.split(BATCH)))
        except xl.CapacityError:
            if system.num_chips >= MOST_CHIPS:
                raise
            system = system.replace(num_chips=2 * system.num_chips)
