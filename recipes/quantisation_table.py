"""What bits cost a network without devices, and what equalisation, bias correction and mixed precision give back.

    python recipes/quantisation_table.py --data DIR --weights DIR [--images N] [--bits 8 4 3 2]

ResNet-20 with its published weights on CIFAR-10, after training alone: weights of so many bits, 8-bit inputs, by the
integer interpreter. "mixed" takes bits layer by layer, within the arrays of a system with 2-bit cells that the network
takes with so many bits in every layer. The last line is one JSON object.
"""

import argparse
import json
from pathlib import Path

import torch
from cifar import CALIBRATION_IMAGES, accuracy, load_split, network

import crossloom as xl
from crossloom.datasets import Dataset
from crossloom.graph import Graph, simplify, trace
from crossloom.quant import interpret_integers

COARSE_CELLS = {"num_chips": 4096, "chip.core.macro.crossbar.cell.num_levels": 4}
WAYS = {
    "plain": {},
    "bias corrected": {"correct_bias": True},
    "one step a layer": {"per_channel": False},
    "one step a layer, equalised": {"per_channel": False, "equalize": True},
    "one step a layer, both": {"per_channel": False, "equalize": True, "correct_bias": True},
}


def score(graph: Graph, config: xl.QuantConfig, some: torch.Tensor, test: Dataset) -> float:
    """Accuracy of the integers."""
    quantized = xl.quantize(graph, config, [(part,) for part in some.split(64)])
    parts = [interpret_integers(quantized, (part,))[0] for part in test.inputs.split(100)]
    assert test.labels is not None
    return accuracy(torch.cat(parts), test.labels)


def mixed(graph: Graph, bits: int, some: torch.Tensor) -> xl.PrecisionChoice:
    """Bits of every layer, within the arrays that `bits` in every layer take."""
    system = xl.load_system("ideal", COARSE_CELLS)
    even = xl.QuantConfig(weight_bits=bits, activation_bits=8)
    placement = xl.compile(graph, system, data=[some[:64]], quant=even)
    arrays = len({site.address for site in placement.sites})
    return xl.choose_precision(
        graph, system, some[:64], arrays, bits=(1, 2, 3, 5, 7), quant=even.replace(correct_bias=True)
    )


def main() -> None:
    options = parse()
    some = load_split(options.data, "train", CALIBRATION_IMAGES).inputs
    test = load_split(options.data, "test", options.images)
    graph = simplify(trace(network("resnet20", options.weights).eval(), some[:64]))
    found: dict[str, dict[str, float]] = {}
    for bits in options.bits:
        even = xl.QuantConfig(weight_bits=bits, activation_bits=8)
        row = {name: score(graph, even.replace(**choices), some, test) for name, choices in WAYS.items()}
        choice = mixed(graph, bits, some)
        row["mixed, bias corrected"] = score(graph, choice.quant, some, test)
        row["arrays"] = choice.budget
        found[str(bits)] = row
        print(f"{bits} bits: " + ", ".join(f"{name} {value:.4g}" for name, value in row.items()), flush=True)
    print(json.dumps({"model": "resnet20", "images": len(test), "bits": found}))


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=None)
    parser.add_argument("--weights", type=Path, required=True, help="the file, or its folder")
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--bits", type=int, nargs="+", default=[8, 4, 3, 2])
    return parser.parse_args()


if __name__ == "__main__":
    main()
