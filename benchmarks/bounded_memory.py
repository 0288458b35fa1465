"""How much memory networks take that need not fit in it as conductances.

    python benchmarks/bounded_memory.py [--millions 3 10 30] [--width 512] [--memory "256 MiB"] [--samples N]
        [--kept]

For each size a transformer's encoder of so many million weights (heads of 64, as many layers as it takes) is
compiled for `tsinghua_c200` with as many chips as it takes, programmed and run with `program(..., memory=...)`, in a
process of its own. Printed are its greatest resident memory after compiling (the float weights, the integers, the
libraries), and what programming and running added to that: it stays about the budget, and does not grow with the
network. --kept does the same without a budget, to compare.
"""

import argparse
import multiprocessing
import resource
import time

import torch
from torch import nn

import crossloom as xl

TOKENS, HEAD = 16, 64


def encoder(millions: float, width: int) -> nn.Module:
    """As many layers of 12 width^2 weights as that takes."""
    number = max(round(millions * 1e6 / (12 * width**2)), 1)
    layer = nn.TransformerEncoderLayer(width, width // HEAD, 4 * width, dropout=0.0, batch_first=True)
    torch.manual_seed(0)
    return nn.TransformerEncoder(layer, number, enable_nested_tensor=False).eval()


def peak() -> int:
    """Greatest resident memory so far, bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def measure(millions: float, width: int, memory: str | None, samples: int) -> None:
    """One line of the table, in a process of its own."""
    torch.set_num_threads(1)
    model = encoder(millions, width)
    inputs = torch.randn(samples, TOKENS, width)
    system = xl.load_system("tsinghua_c200", {"num_chips": 40 + int(40 * millions)})
    began = time.perf_counter()
    placement = xl.compile(model, system, data=inputs[:2])
    compiled, compiling = peak(), time.perf_counter() - began
    print(f"compiled: {compiled / 2**20:.0f} MiB, {compiling:.0f} s", flush=True)
    chips = xl.program(placement, xl.simulate(system, seed=0), xl.DirectSet(), memory=memory)
    programming = time.perf_counter() - began - compiling
    xl.run(chips, inputs, probe_samples=0)
    running = time.perf_counter() - began - compiling - programming
    weights = sum(layer.weight.numel() for layer in placement.mapped.quantized.layers.values())
    cells = sum(tile.num_cells for tile in placement.mapped.tiles)
    print(
        f"{weights / 1e6:8.1f} M weights {cells / 1e6:8.1f} M cells ({cells * 4 / 2**20:7.0f} MiB in float32)  "
        f"compiled {compiled / 2**20:7.0f} MiB, then +{(peak() - compiled) / 2**20:6.0f} MiB  "
        f"compiling {compiling:5.0f} s, programming {programming:5.0f} s, running {running:5.0f} s",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--millions", type=float, nargs="+", default=[3, 10, 30])
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--memory", default="256 MiB")
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--kept", action="store_true", help="no budget")
    options = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    for millions in options.millions:
        memory = None if options.kept else options.memory
        child = context.Process(target=measure, args=(millions, options.width, memory, options.samples))
        child.start()
        child.join()


if __name__ == "__main__":
    main()
