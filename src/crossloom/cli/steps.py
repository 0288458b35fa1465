"""What the commands of the flow do, one stage a function. Needs torch."""

import json
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from statistics import fmean, stdev

from crossloom.artefacts import atomic_path
from crossloom.cli.choices import Choices
from crossloom.cli.models import find_fixed_batch, load_model
from crossloom.cli.samples import load_calibration
from crossloom.datasets import Dataset
from crossloom.errors import ArtefactError, DataError
from crossloom.graph import check_inputs, interpret
from crossloom.pipeline import compile, simulate
from crossloom.placement import Placement
from crossloom.programming import ProgrammedChips, program
from crossloom.progress import track
from crossloom.report import Report
from crossloom.runtime import Mode, RunResult, run
from crossloom.spec import SystemSpec

_BATCH = 64


def make_placement(
    model: str,
    system: SystemSpec,
    choices: Choices,
    data: str | None,
    normalize: str | None,
    num_samples: int,
) -> Placement:
    """The model, compiled for the system on calibration samples of `data`."""
    quant, mapping = choices.quant(), choices.mapping()
    loaded = load_model(model)
    batches = load_calibration(data, normalize, num_samples, find_fixed_batch(loaded))
    return compile(loaded, system, batches, quant=quant, mapping=mapping, placement=choices.placement())


def program_simulated(placement: Placement, seed: int, memory: str | None = None) -> ProgrammedChips:
    """The placement in simulated chips of this seed; memory: as for `program`."""
    return program(placement, simulate(placement.system, seed), memory=memory)


def load_chips(path: Path) -> ProgrammedChips:
    """Chips from a file; an ArtefactError about a placement says how to program it."""
    try:
        return ProgrammedChips.load(path)
    except ArtefactError as error:
        hint = f"; program it first: crossloom program {path}" if "holds a Placement" in str(error) else ""
        raise ArtefactError(f"{error}{hint}") from None


def fit_samples(placement: Placement, dataset: Dataset, batch_size: int | None) -> tuple[Dataset, int]:
    """The samples that the model takes, and how many go through together; a model that fixes its batch takes
    whole batches of that size. Raises DataError when inputs or labels do not fit, before any pulse."""
    graph = placement.mapped.quantized.graph
    fixed = graph.inputs[0].shape[0] if graph.inputs[0].shape else None
    if fixed is not None:
        whole = len(dataset) - len(dataset) % fixed
        if whole == 0:
            raise DataError(
                f"the model fixes its batch at {fixed} samples, {dataset.name} has {len(dataset)}"
            )
        if whole < len(dataset):
            print(
                f"note: the model fixes its batch at {fixed}: answering {whole} of {len(dataset)}",
                file=sys.stderr,
            )
        labels = None if dataset.labels is None else dataset.labels[:whole]
        dataset = replace(dataset, inputs=dataset.inputs[:whole], labels=labels)
    first = (dataset.inputs[: fixed or 1],)
    check_inputs(graph, first)
    _check_classes(interpret(graph, first)[0].shape, dataset)
    return dataset, batch_size or fixed or _BATCH


def _check_classes(shape: Iterable[int], dataset: Dataset) -> None:
    sizes = tuple(shape)
    if dataset.labels is None or len(sizes) != 2:
        return
    lowest, highest = int(dataset.labels.min()), int(dataset.labels.max())
    if lowest < 0 or highest >= sizes[1]:
        raise DataError(
            f"{dataset.name}: labels go from {lowest} to {highest}, the model tells {sizes[1]} classes apart; "
            "give others by --labels"
        )
    if lowest == highest and len(dataset) > 1:
        print(f"note: all {len(dataset)} samples are of class {lowest}: is the file sorted?", file=sys.stderr)


def answer(
    chips: ProgrammedChips, dataset: Dataset, batch_size: int, mode: Mode, seed: int, folder: Path
) -> Report:
    """Run the samples, save the result, and make the report."""
    result = run(chips, dataset.inputs, batch_size=batch_size, mode=mode, seed=seed)
    result.save(folder / "result.xloom")
    return Report(chips.placement, chips, result, dataset.labels)


def run_draws(
    chips: ProgrammedChips, dataset: Dataset, batch_size: int, mode: Mode, seeds: range, folder: Path
) -> str:
    """Program and run one set of chips per seed: accuracies, mean and spread into draws.json, and in a line.

    Without labels, the agreement with the float network takes the place of accuracy.
    """
    wanted, word = dataset.labels, "accuracy"
    if wanted is None:
        wanted, word = (
            _classes(run(chips, dataset.inputs, batch_size=batch_size, mode="float")),
            "agreement with float",
        )
    figures = []
    for seed in track(seeds, "sets of chips", len(seeds)):
        drawn = program_simulated(chips.placement, seed)
        result = run(drawn, dataset.inputs, batch_size=batch_size, mode=mode, seed=seed, probe_samples=0)
        figures.append((_classes(result) == wanted).double().mean().item())
    mean, spread = fmean(figures), stdev(figures)
    facts = {"figure": word, "seeds": list(seeds), "values": figures, "mean": mean, "std": spread}
    with atomic_path(folder / "draws.json") as temporary:
        temporary.write_text(json.dumps(facts, indent=1), "utf-8")
    return f"{len(seeds)} sets of chips: {word} {mean:.2%} ± {spread:.2%} (draws.json)"


def _classes(result: RunResult):
    outputs = result.outputs if not isinstance(result.outputs, tuple) else result.outputs[0]
    if outputs.dim() != 2:
        raise DataError(f"--draws needs one number per class as the output, got {list(outputs.shape)}")
    return outputs.argmax(1)
