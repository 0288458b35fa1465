"""Programmed chips are tuned with themselves in the loop: their forward pass, the gradient of what was read back.

    python recipes/chip_in_the_loop.py --model digits [--mode MODE] [--images 450] [--chips N] [--seed N]
    python recipes/chip_in_the_loop.py --model resnet20 --data DIR --weights resnet20-12fca82f.th [--device NAME]
        [--mode MODE] [--images 1000] [--train-images 256] [--epochs N] [--chips N] [--seed N]

`digits`: the network of `crossloom demo` on `tsinghua_c200`, 4 bits everywhere. `resnet20`: the published network of
akamaster/pytorch_resnet_cifar10 on cells of a published device behind an 8-bit ADC; DIR (or $CROSSLOOM_DATA) holds
cifar-10-batches-py. Samples to tune with are training samples, accuracy is that of test samples. MODE is
whole_network, last_layer, digital_only or layer_by_layer (which programs the chips itself). The last line is one JSON
object: accuracy mapped on an ideal chip, programmed, and after, by set of chips; cells rewritten, pulses.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from cifar import CALIBRATION_IMAGES, accuracy, load_split, network
from torch import nn

import crossloom as xl
from crossloom.cli.demo import load_digits, train_network
from crossloom.datasets import Dataset
from crossloom.training import InTheLoopConfig, InTheLoopResult, LayerByLayerConfig

MODES = ("whole_network", "last_layer", "digital_only", "layer_by_layer")
MACRO = "chip.core.macro"
EIGHT_BIT_ADC = {
    f"{MACRO}.readout.bits": 8,
    f"{MACRO}.crossbar.num_rows": 576,
    f"{MACRO}.crossbar.num_columns": 128,
}
Case = tuple[nn.Module, xl.SystemSpec, Dataset, Dataset, torch.Tensor]


def digits(options: argparse.Namespace) -> Case:
    """The demo's network, its system, samples to tune with, samples to test, and calibration data."""
    train, test = load_digits()
    some = Dataset(*((part[: options.train_images]) for part in (train.inputs, train.labels)), train.name)
    test = Dataset(*((part[: options.images]) for part in (test.inputs, test.labels)), test.name)
    return train_network(train), xl.load_system("tsinghua_c200"), some, test, train.inputs[:128]


def resnet20(options: argparse.Namespace) -> Case:
    """Likewise, for the published ResNet-20."""
    train = load_split(options.data, "train", max(options.train_images, CALIBRATION_IMAGES))
    test = load_split(options.data, "test", options.images)
    some = Dataset(*((part[: options.train_images]) for part in (train.inputs, train.labels)), train.name)
    system = xl.load_system("ideal", EIGHT_BIT_ADC).with_cell(xl.load_device(options.device))
    model = network("resnet20", options.weights).eval()
    return model, system, some, test, train.inputs[:CALIBRATION_IMAGES]


CASES: dict[str, Callable[[argparse.Namespace], Case]] = {"digits": digits, "resnet20": resnet20}


def tell(chips: xl.ProgrammedChips, test: Dataset, seed: int) -> float:
    """Accuracy of chips on the test samples."""
    outputs = xl.run(chips, test.inputs, seed=seed, probe_samples=0).outputs
    return accuracy(outputs, test.labels)


def tune(
    placement: xl.Placement,
    programmed: xl.ProgrammedChips,
    train: Dataset,
    options: argparse.Namespace,
    seed: int,
) -> InTheLoopResult:
    """The chips of this seed, tuned, or programmed anew layer by layer."""
    objective = options.objective or ("labels" if options.model == "digits" else "answers")
    if options.mode == "layer_by_layer":
        config = LayerByLayerConfig(
            objective=objective, epochs=options.epochs, layers_at_once=options.layers_at_once, seed=seed
        )
        chips = xl.simulate(placement.system, seed=seed)
        return xl.program_in_the_loop(placement, chips, train, config)
    config = InTheLoopConfig(
        mode=options.mode,
        objective=objective,
        epochs=options.epochs,
        digital_epochs=1,
        learning_rate=options.rate,
        digital_rate=options.digital_rate,
        seed=seed,
    )
    return xl.tune_in_the_loop(programmed, train, config)


def one_set(
    placement: xl.Placement, train: Dataset, test: Dataset, options: argparse.Namespace, seed: int
) -> dict:
    """Figures of one set of chips."""
    chips = xl.program(placement, xl.simulate(placement.system, seed=seed))
    before, began = tell(chips, test, seed), time.perf_counter()
    result = tune(placement, chips, train, options, seed)
    seconds = time.perf_counter() - began
    assert result.chips is not None
    figures = {
        "seed": seed,
        "programmed": before,
        "after": tell(result.chips, test, seed),
        "cells_rewritten": result.num_cells_rewritten,
        "cells_by_layer": dict(result.cells_rewritten),
        "writes": result.num_writes,
        "pulses": result.num_pulses,
        "trains_digital": list(result.digital),
        "seconds": round(seconds, 1),
    }
    print(f"chips {seed}: {before:.2%} to {figures['after']:.2%}\n{result.summary()}", flush=True)
    return figures


def main() -> None:
    options = parse()
    model, system, train, test, calibration = CASES[options.model](options)
    placement = xl.compile(model, system, data=list(calibration.split(64)))
    ideal = xl.program(placement, xl.simulate(system.noiseless()), xl.DirectSet(), settle=0.0)
    mapped = tell(ideal, test, 0)
    print(f"mapped, ideal chip: {mapped:.2%} of {len(test)} test samples", flush=True)
    sets = [one_set(placement, train, test, options, options.seed + chip) for chip in range(options.chips)]
    programmed, after = ([found[name] for found in sets] for name in ("programmed", "after"))
    lost, won = mapped - statistics.mean(programmed), statistics.mean(after) - statistics.mean(programmed)
    figures = {
        "model": options.model,
        "system": system.name,
        "device": options.device if options.model == "resnet20" else None,
        "mode": options.mode,
        "images": len(test),
        "train_images": len(train),
        "epochs": options.epochs,
        "mapped_ideal": mapped,
        "programmed": summed_up(programmed),
        "after": summed_up(after),
        "recovered": won / lost if lost > 0 else None,
        "num_cells": placement.mapped.num_cells,
        "cells_rewritten": summed_up([float(found["cells_rewritten"]) for found in sets]),
        "pulses": summed_up([float(found["pulses"]) for found in sets]),
        "chips": sets,
    }
    print(json.dumps(figures))


def summed_up(found: list[float]) -> dict[str, float]:
    """Mean and standard deviation over sets of chips."""
    return {"mean": statistics.mean(found), "std": statistics.stdev(found) if len(found) > 1 else 0.0}


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", choices=CASES, default="digits")
    parser.add_argument("--data", type=Path, default=None)
    parser.add_argument("--weights", type=Path, default=None)
    parser.add_argument("--device", default="hermes_one_device", choices=xl.list_devices())
    parser.add_argument("--mode", choices=MODES, default="whole_network")
    parser.add_argument("--images", type=int, default=1000, help="test samples")
    parser.add_argument("--train-images", type=int, default=256, help="samples to tune with")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--objective", choices=("labels", "answers"), default=None)
    parser.add_argument("--rate", type=float, default=0.003, help="of weights")
    parser.add_argument("--digital-rate", type=float, default=0.003, help="of scales and biases")
    parser.add_argument("--layers-at-once", type=int, default=1)
    parser.add_argument("--chips", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if options.model == "resnet20" and options.weights is None:
        parser.error("--model resnet20 needs --weights, the published resnet20-12fca82f.th or its folder")
    return options


if __name__ == "__main__":
    main()
