"""How long a sweep over all registers takes, in one call and one by one, and a tuning of the demo's size.

    python benchmarks/tuning.py [--vectors 512] [--repeats 3] [--seed 0]

A layer of 576 x 64 weights on `tsinghua_c200`, 63 integration times, both input modes; then three such layers tuned
layer by layer. Times are the least of the repeats, on one thread.
"""

import argparse
import time
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import nn

import crossloom as xl
from crossloom.calibration import measure_settings
from crossloom.hardware import DenseCodes, Draw
from crossloom.programming import LayerCorrection, TileCorrection

NUM_INPUTS, NUM_OUTPUTS = 576, 64


def programmed(mode: str, seed: int) -> tuple[xl.ProgrammedChips, torch.Tensor]:
    """Three layers on chips, and inputs."""
    torch.manual_seed(seed)
    widths = (NUM_INPUTS, NUM_OUTPUTS, NUM_INPUTS, NUM_OUTPUTS)
    layers = [nn.Linear(*pair) for pair in pairwise(widths)]
    model = nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU(), layers[2]).eval()
    inputs = torch.randn(128, NUM_INPUTS)
    system = xl.load_system("tsinghua_c200")
    mapping = xl.MappingConfig(input_mode=mode)  # type: ignore[arg-type]
    placement = xl.compile(model, system, data=inputs, mapping=mapping)
    return xl.program(placement, xl.simulate(system, seed=seed), xl.DirectSet()), inputs


def timed(work: Callable[[], object], repeats: int) -> float:
    """Seconds, the least of the repeats."""
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return min(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--vectors", type=int, default=512)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    for mode in ("bit_serial", "pulse"):
        chips, inputs = programmed(mode, options.seed)
        mapped = chips.placement.mapped
        node = mapped.quantized.graph.matrices[0]
        layer, numbers = mapped.quantized.layers[node.name], mapped.tiles_of[node.name]
        codes = layer.quantize_input(torch.randn(options.vectors, NUM_INPUTS))
        vectors = DenseCodes(codes, options.vectors)
        settings = [
            LayerCorrection(dict.fromkeys(numbers, TileCorrection(float(turn)))) for turn in range(1, 64)
        ]

        def sweep(chips=chips, node=node, settings=settings, vectors=vectors) -> None:
            measure_settings(chips, node, settings, vectors, Draw(0))

        def one_by_one(chips=chips, node=node, settings=settings, vectors=vectors) -> None:
            for setting in settings:
                measure_settings(chips, node, [setting], vectors, Draw(0))

        together, alone = timed(sweep, options.repeats), timed(one_by_one, options.repeats)
        tuning = timed(lambda chips=chips, inputs=inputs: xl.tune(chips, inputs), options.repeats)
        print(
            f"{mode}: 63 times in one call {together:.3f} s, one by one {alone:.3f} s; tuning {tuning:.2f} s"
        )


if __name__ == "__main__":
    main()
