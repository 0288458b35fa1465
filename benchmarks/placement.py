"""How good placements are, and how long large ones take.

    python benchmarks/placement.py packing [--instances 200] [--seed 1]
    python benchmarks/placement.py replication [--instances 20]
    python benchmarks/placement.py large
    python benchmarks/placement.py resnet_50

packing: instances of 10 to 5,000 tiles (as many of each order of magnitude), a third each of the families of
    `packing.py`: macros in use over the better lower bound. Packings of up to 1,000 tiles are checked cell by cell.
replication: small random pipelines, for which CP-SAT (the extra `exact`) chooses replicas and macros; the busiest
    macro's time of `balance` over the best that it found, with what it proved.
large: a chain of 114 million weights on 6,000 macros, mapped, placed and checked.
resnet_50: compiling and placing a network of that size for 600 macros, in a process of its own.

Times are those of the wall clock, and of the processor, which others' work does not lengthen as much. Set
OMP_NUM_THREADS=2 for two cores.
"""

import argparse
import random
import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))


@contextmanager
def timed(what: str) -> Iterator[None]:
    wall, processor = time.perf_counter(), time.process_time()
    yield
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"{what}: {time.perf_counter() - wall:.1f} s, {time.process_time() - processor:.1f} s of the processor, "
        f"at most {memory:.2f} GiB so far",
        flush=True,
    )


def packing(instances: int, seed: int) -> None:
    from packing import NUM_COLUMNS, NUM_ROWS, cnn, count_errors, full, half

    from crossloom.placement.packing import lower_bound, pack

    draw = random.Random(seed)
    ratios: dict[Callable, list[float]] = {cnn: [], half: [], full: []}
    to_area, errors, seconds = [], 0, []
    for number in range(instances):
        family = list(ratios)[number % 3]
        rectangles = family(draw, round(10 * 500 ** draw.random()))
        start = time.process_time()
        found = pack(rectangles, NUM_ROWS, NUM_COLUMNS, 6000)
        seconds.append(time.process_time() - start)
        if len(rectangles) <= 1000:
            errors += count_errors(rectangles, found)
        ratios[family].append(found.num_bins_used / lower_bound(rectangles, NUM_ROWS, NUM_COLUMNS))
        to_area.append(found.num_bins_used / found.area_bound)
    for family, each in ratios.items():
        print(
            f"{family.__name__:<6}{len(each):>5} instances, mean {np.mean(each):.4f}, worst {max(each):.4f}"
        )
    every = [ratio for each in ratios.values() for ratio in each]
    print(
        f"{instances} instances: macros over lower bound {np.mean(every):.4f} (bound 1.05), over area bound "
        f"{np.mean(to_area):.4f}; {errors} errors; {np.mean(seconds):.2f} s of the processor, at most "
        f"{max(seconds):.1f}"
    )


def replication(instances: int, seed: int) -> None:
    from replication import best_by_solver, pipeline

    from crossloom.placement import PlacementConfig, balance, check_placement

    draw, ratios, unproven = random.Random(seed), [], []
    for _ in range(instances):
        mapped, system, times = pipeline(draw)
        found = balance(mapped, PlacementConfig(), system, times)
        assert check_placement(found.placement) == ()
        best, proven = best_by_solver(mapped, system, times, found.slowest)
        ratios.append(found.slowest / best)
        unproven.append(best / proven)
        print(f"ours {found.slowest:.4f}, CP-SAT {best:.4f}, proven {proven:.4f}", flush=True)
    print(
        f"{instances} pipelines: slowest macro over the best of CP-SAT: mean {np.mean(ratios):.4f}, worst "
        f"{max(ratios):.4f} (bound 1.10); CP-SAT over what it proved: mean {np.mean(unproven):.4f}, worst "
        f"{max(unproven):.4f}"
    )


def large() -> None:
    import torch

    import crossloom as xl
    from crossloom.graph import Graph, Input, Matrix
    from crossloom.quant import QuantConfig, quantize

    torch.manual_seed(0)
    nodes: list = [Input("x", (None, 1000), "float32")]
    tensors = {}
    for number, (inputs, outputs) in enumerate([(1000, 3000), (3000, 4000), (4000, 1000)] * 6):
        tensors[f"w{number}"] = torch.randn(outputs, inputs) / inputs**0.5
        about = (None, None, 1, None, f"layer{number}", (None, outputs))
        nodes.append(Matrix(f"layer{number}", nodes[-1].name, f"w{number}", *about))
    graph = Graph(tuple(nodes), (nodes[-1].name,), True, tensors)
    system = xl.load_system("tsinghua_c200", {"num_chips": 6000})
    with timed("quantising"):
        quantized = quantize(graph, QuantConfig(), [(torch.randn(8, 1000),)])
    with timed("mapping"):
        mapped = xl.map_graph(quantized, xl.MappingConfig(), system.macro)
    with timed("placing (bound 60 s)"):
        placement = xl.place(mapped, xl.PlacementConfig(), system)
    with timed("checking"):
        print(xl.check_placement(placement) or "legal")
    with timed("scheduling one sample"):
        schedule = xl.schedule(placement, num_samples=1)
    num_weights = sum(layer.weight.numel() for layer in quantized.layers.values())
    print(f"{num_weights:,} weights", placement.summary(), schedule.summary(), sep="\n")


def resnet_50() -> None:
    import torch
    from resnet_50 import resnet_50 as make

    import crossloom as xl

    model, data = make(), torch.randn(8, 3, 224, 224)
    system = xl.load_system("tsinghua_c200", {"num_chips": 600})
    with timed("compiling and placing a network of ResNet-50's size (bounds 60 s, 6 GiB)"):
        placement = xl.compile(model, system, data=[data])
    print(placement.summary())
    print(xl.check_placement(placement) or "legal")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["packing", "replication", "large", "resnet_50"])
    parser.add_argument("--instances", type=int, default=None)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if options.what == "packing":
        packing(options.instances or 200, options.seed)
    elif options.what == "replication":
        replication(options.instances or 20, options.seed)
    else:
        {"large": large, "resnet_50": resnet_50}[options.what]()


if __name__ == "__main__":
    main()
