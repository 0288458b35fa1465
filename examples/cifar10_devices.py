"""A pretrained ResNet-32 on CIFAR-10, on chips of every published kind of cell.

    python examples/cifar10_devices.py --data DIR --weights resnet32-d509ac18.th
        [--images N] [--chips N] [--device NAME ...] [--results FILE.json]

DIR (or $CROSSLOOM_DATA) holds cifar-10-batches-py. Drivers and converters are those of `ideal` with an 8-bit ADC;
weights and activations have 8 bits; there is no retraining and no calibration. Prints mean and standard deviation of
the accuracy over sets of chips, one second and one day after programming. What is known is kept in --results after
every set of chips, and a second call goes on where the first one stopped.
"""

import argparse
import json
from pathlib import Path
from statistics import fmean, stdev

from cifar10_resnet32 import EIGHT_BIT_ADC, accuracy
from cifar_resnet import MEAN, STD, load_pretrained, resnet32

import crossloom as xl
from crossloom.artefacts import atomic_path
from crossloom.datasets import Dataset, load_dataset

MOMENTS = {"1 s": 1.0, "1 day": 86_400.0}
Results = dict[str, list[dict[str, float]]]


def run_chips(placement: xl.Placement, system: xl.SystemSpec, test: Dataset, seed: int) -> dict[str, float]:
    """The accuracy of one set of chips at every moment."""
    chips = xl.program(placement, xl.simulate(system, seed=seed), xl.DirectSet(), settle=MOMENTS["1 s"])
    scores = {}
    for moment, time in MOMENTS.items():
        aged = xl.advance(chips, time - MOMENTS["1 s"])
        scores[moment] = accuracy(xl.run(aged, test.inputs, seed=seed, probe_samples=0).outputs, test.labels)
    return scores


def keep(results: Results, path: Path | None) -> None:
    if path is not None:
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps(results, indent=1))


def table(results: Results) -> str:
    """Markdown: one row per device."""
    lines = ["| cells | " + " | ".join(MOMENTS) + " |", "|---" * (1 + len(MOMENTS)) + "|"]
    for name, sets in results.items():
        cells = []
        for moment in MOMENTS:
            scores = [100 * scores[moment] for scores in sets]
            cells.append(f"{fmean(scores):.2f} ± {stdev(scores) if len(scores) > 1 else 0:.2f} %")
        lines.append(f"| `{name}` | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=None)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--chips", type=int, default=10)
    parser.add_argument("--device", action="append", choices=xl.list_devices())
    parser.add_argument("--results", type=Path, default=None)
    options = parser.parse_args()
    train = load_dataset(options.data, "train", limit=256, name="cifar10").normalize(MEAN, STD)
    test = load_dataset(options.data, "test", limit=options.images, name="cifar10").normalize(MEAN, STD)
    graph = xl.trace(load_pretrained(resnet32(), options.weights), train.inputs[:1])
    results: Results = {}
    if options.results and options.results.exists():
        results = json.loads(options.results.read_text())
    for name in options.device or xl.list_devices():
        system = xl.load_system("ideal", EIGHT_BIT_ADC).with_cell(xl.load_device(name))
        placement = xl.compile(graph, system, data=list(train.inputs.split(64)))
        sets = results.setdefault(name, [])
        for seed in range(len(sets), options.chips):
            sets.append(run_chips(placement, system, test, seed))
            print(name, seed, sets[-1], flush=True)
            keep(results, options.results)
    print(f"\n{len(test):,} test images, {options.chips} sets of chips\n\n{table(results)}")


if __name__ == "__main__":
    main()
