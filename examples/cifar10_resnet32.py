"""A pretrained ResNet-32 on CIFAR-10, from float to programmed chips.

    python examples/cifar10_resnet32.py --data DIR --weights resnet32-d509ac18.th
        [--images N] [--chips N] [--report DIR]

DIR (or $CROSSLOOM_DATA) holds cifar-10-batches-py; the weights are those of akamaster/pytorch_resnet_cifar10
(published: 92.63 % on the 10,000 test images). Prints the accuracy of the float network, the waterfall on `ideal`
with 8-bit weights, activations and ADC, and the waterfall on `tsinghua_c200` with the mean and the standard
deviation over several programmed chips. The last line is one JSON object with every figure.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import torch
from cifar_resnet import MEAN, STD, load_pretrained, resnet32

import crossloom as xl
from crossloom.datasets import Dataset, load_dataset

EIGHT_BIT_ADC = {"chip.core.macro.readout.bits": 8}


def accuracy(outputs: torch.Tensor, labels: torch.Tensor) -> float:
    return (outputs.argmax(1) == labels).double().mean().item()


def run_system(
    model: torch.nn.Module,
    system: xl.SystemSpec,
    train: Dataset,
    test: Dataset,
    num_chips: int,
    folder: Path | None,
) -> dict:
    """Compile once, then program and run `num_chips` sets of chips; the waterfall is that of the first."""
    began = time.perf_counter()
    placement = xl.compile(model, system, data=list(train.inputs.split(64)))
    print(f"\n{placement.summary()}\ncompiled in {time.perf_counter() - began:.1f} s", flush=True)
    scores, fall = [], None
    for seed in range(num_chips):
        began = time.perf_counter()
        chips = xl.program(placement, xl.simulate(system, seed=seed))
        result = xl.run(chips, test.inputs, seed=seed)
        scores.append(accuracy(result.outputs, test.labels))
        print(f"chips of seed {seed}: {scores[-1]:.2%}, {time.perf_counter() - began:.0f} s", flush=True)
        if seed == 0:
            fall = xl.waterfall(chips, result, test.labels)
            print(f"{chips.summary()}\n{fall.summary()}", flush=True)
            if folder:
                xl.Report(placement, chips, result, test.labels, waterfall=fall).save(
                    folder / f"{system.name}.html"
                )
    spread = statistics.stdev(scores) if len(scores) > 1 else 0.0
    print(
        f"{system.name}: {statistics.mean(scores):.2%} +- {spread:.2%} over {num_chips} programmed chips",
        flush=True,
    )
    return {
        "mean": statistics.mean(scores),
        "std": spread,
        "chips": scores,
        "macros": len(placement.macros),
        "waterfall": {station.name: station.accuracy for station in fall.stations},
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=None)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--chips", type=int, default=10)
    parser.add_argument("--report", type=Path, default=None)
    options = parser.parse_args()
    train = load_dataset(options.data, "train", limit=256, name="cifar10").normalize(MEAN, STD)
    test = load_dataset(options.data, "test", limit=options.images, name="cifar10").normalize(MEAN, STD)
    model = load_pretrained(resnet32(), options.weights)
    with torch.no_grad():
        outputs = torch.cat([model(batch) for batch in test.inputs.split(250)])
    figures: dict = {"images": len(test), "float": accuracy(outputs, test.labels)}
    print(f"float, {len(test):,} test images: {figures['float']:.2%}", flush=True)
    ideal = xl.load_system("ideal", EIGHT_BIT_ADC)
    figures["ideal"] = run_system(model, ideal, train, test, 1, options.report)
    c200 = xl.load_system("tsinghua_c200")
    figures["tsinghua_c200"] = run_system(model, c200, train, test, options.chips, options.report)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
