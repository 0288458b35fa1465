"""A small network learns digits in its cells, by four rules, on two kinds of cells.

    python examples/on_chip_learning.py [--epochs N] [--samples N] [--seed N]

A perceptron of two layers lies in differential pairs of cells, with 8-bit converters, and learns handwritten digits by
pulses alone: by the signs of gradients, in place, with a digital accumulator (mixed precision), and by Tiki-Taka v2.
The cells are those of NeuRRAM (`neurram_wan`: window, programming error and relaxation are published; that a pulse
moves a cell by 0.4 uS, give or take 30 %, is assumed), and coarse, asymmetric ones with soft bounds in the window of
STELLAR, 2...20 uS (how they answer to pulses is assumed). Prints learning curves, pulses per cell, and reads.
"""

import argparse

import torch
from torch import nn

import crossloom as xl
from crossloom.cli.demo import load_digits
from crossloom.datasets import Dataset
from crossloom.spec import CellSpec
from crossloom.training.on_chip import (
    InPlace,
    MixedPrecision,
    OnChipConfig,
    OnChipResult,
    SignUpdate,
    TikiTaka,
    learn_on_chip,
)

HARDWARE = {
    "chip.core.macro.readout": {"bits": 8},
    "chip.core.macro.crossbar.num_rows": 64,
    "chip.core.macro.crossbar.num_columns": 64,
}
NEURRAM = xl.load_device("neurram_wan").cell.replace(pulse={"width": 1e-7, "step": 4e-7, "max_width": 1e-6})
SOFT_BOUNDS = CellSpec.parse(
    {
        "g_min": 2e-6,
        "g_max": 2e-5,
        "pulse": {"width": 1e-7, "step": 8e-7, "max_width": 1e-6},
        "device": {
            "kind": "soft_bounds",
            "up": 2e-6,
            "down": 1.2e-6,
            "pulse_spread": 0.3,
            "device_spread": 0.8,
            "bound_spread": 0.1,
        },
    }
)
CELLS = {"NeuRRAM": NEURRAM, "coarse soft bounds": SOFT_BOUNDS}
RULES = {
    "sign": SignUpdate(threshold=0.02),
    "in place": InPlace(learning_rate=0.2),
    "mixed precision": MixedPrecision(learning_rate=0.2),
    "Tiki-Taka v2": TikiTaka(),
}
Study = dict[str, dict[str, OnChipResult]]


def make_network() -> nn.Module:
    """No biases: everything that learns lies in cells."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Flatten(), nn.Linear(64, 24, bias=False), nn.ReLU(), nn.Linear(24, 10, bias=False)
    )


def study(num_epochs: int, num_samples: int, seed: int) -> Study:
    """Every rule on every kind of cells, by cell and rule."""
    train, test = load_digits()
    assert train.labels is not None
    data = Dataset(train.inputs[:num_samples], train.labels[:num_samples], train.name)
    found: Study = {}
    for name, cell in CELLS.items():
        system = xl.load_system("ideal", HARDWARE).with_cell(cell)
        found[name] = {}
        for rule_name, rule in RULES.items():
            config = OnChipConfig(rule=rule, num_epochs=num_epochs, weight_range=1.5, seed=seed)
            chips = xl.simulate(system, seed=seed)
            found[name][rule_name] = learn_on_chip(make_network(), chips, data, config, test=test)
    return found


def show(found: Study) -> str:
    """Accuracy in percent after every epoch, and what it took."""
    lines = []
    for name, results in found.items():
        num_epochs = len(next(iter(results.values())).curve) - 1
        head = "".join(f"{epoch:>6}" for epoch in range(num_epochs + 1))
        lines += [f"{name}: accuracy (%) after epoch, and pulses of learning per cell"]
        lines += [f"  {'':<16}{head}  settled    mean    most  reads per cell"]
        for rule, result in results.items():
            curve = "".join(f"{100 * point.accuracy:>6.1f}" for point in result.curve)
            lines.append(
                f"  {rule:<16}{curve}{100 * result.settled:>9.1f}{result.pulses_per_cell:>8.1f}"
                f"{result.most_pulses:>8}{result.num_reads / result.num_cells:>16.0f}"
            )
        lines.append("")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> Study:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--epochs", type=int, default=7)
    parser.add_argument("--samples", type=int, default=800, help="digits to learn, at most 1347")
    parser.add_argument("--seed", type=int, default=0, help="of chips and learning")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)  # layers this small gain nothing from more
    found = study(options.epochs, options.samples, options.seed)
    print(show(found))
    return found


if __name__ == "__main__":
    main()
