"""How good and how fast the packer is, on random instances and against rectpack.

    python benchmarks/packing.py --instances 3000 --seed 0

Every instance has 10 to 60 rectangles for bins of 1152 x 128 cells. The instances are shared equally by the
two main families; a third family is added on top, half as many as in a main one:

- "cnn": the tiles of random convolutional networks. Channels from {8, 16, 32, 64, 128, 256}, kernels from
  {1, 3, 5}, two rows per weight, every layer cut into full bins and remainders as tiling does.
- "half": sides uniform from 1 to half of the bin's rows and columns.
- "full" (extra): sides uniform from 1 to all of the bin's rows and columns. Most pairs cannot share a bin, so
  that the area bound is far from tight; the ratio to the better lower bound tells how good the packing is.

Two ratios are given: to the area bound, and to `lower_bound` (dual feasible functions). "proven" is the share
of packings that meet the lower bound, and so are the best there can be. Every packing is checked cell by cell
by `count_errors`, which shares no code with the packer. A failure is any exception. Times are the wall
clock's; set OPENBLAS_NUM_THREADS=1 for one core.
"""

import argparse
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from crossloom.placement.packing import Packing, Rectangle, lower_bound, pack

NUM_ROWS, NUM_COLUMNS, NUM_BINS = 1152, 128, 1000
CHANNELS = (8, 16, 32, 64, 128, 256)
KERNELS = (1, 3, 5)
NUM_PER_ORACLE = 20
"""Every so manieth instance is also given to rectpack."""


def cnn(draw: random.Random, num_rectangles: int) -> list[Rectangle]:
    """The first tiles of a random chain of convolutions."""
    tiles: list[Rectangle] = []
    inputs = draw.choice((1, 3, 16))
    while len(tiles) < num_rectangles:
        kernel, outputs = draw.choice(KERNELS), draw.choice(CHANNELS)
        rows = 2 * kernel * kernel * inputs
        for row in range(0, rows, NUM_ROWS):
            for column in range(0, outputs, NUM_COLUMNS):
                tiles.append(Rectangle(min(NUM_ROWS, rows - row), min(NUM_COLUMNS, outputs - column)))
        inputs = outputs
    return tiles[:num_rectangles]


def half(draw: random.Random, num_rectangles: int) -> list[Rectangle]:
    return [
        Rectangle(draw.randint(1, NUM_ROWS // 2), draw.randint(1, NUM_COLUMNS // 2))
        for _ in range(num_rectangles)
    ]


def full(draw: random.Random, num_rectangles: int) -> list[Rectangle]:
    return [Rectangle(draw.randint(1, NUM_ROWS), draw.randint(1, NUM_COLUMNS)) for _ in range(num_rectangles)]


def resnet_32() -> list[Rectangle]:
    """ResNet-32 for CIFAR-10 with two rows per weight."""
    sides = [(54, 16)] + [(288, 16)] * 10 + [(288, 32)] + [(576, 32)] * 9
    sides += [(576, 64)] + [(1152, 64)] * 9 + [(128, 10)]
    return [Rectangle(rows, columns) for rows, columns in sides]


def count_errors(rectangles: list[Rectangle], packing: Packing) -> int:
    """Cells covered twice or outside a bin, counted on a grid of every cell; slow and obvious."""
    grids: dict[int, np.ndarray] = {}
    errors = 0
    for rectangle, spot in zip(rectangles, packing.spots, strict=True):
        grid = grids.setdefault(spot.bin, np.zeros((NUM_ROWS, NUM_COLUMNS), dtype=np.int32))
        rows = range(spot.row, spot.row + rectangle.num_rows)
        columns = range(spot.column, spot.column + rectangle.num_columns)
        inside = rows[0] >= 0 and columns[0] >= 0 and rows[-1] < NUM_ROWS and columns[-1] < NUM_COLUMNS
        if not inside or not 0 <= spot.bin < NUM_BINS:
            errors += rectangle.num_cells
            continue
        grid[rows.start : rows.stop, columns.start : columns.stop] += 1
    doubles = sum(int((grid > 1).sum()) for grid in grids.values())
    return errors + doubles + (len(grids) != packing.num_bins_used)


def rectpack_bins(rectangles: list[Rectangle]) -> int:
    """Bins that rectpack uses at its best: all of its algorithms, offline and best of its orders."""
    import rectpack as rp

    algorithms = (
        rp.MaxRectsBssf,
        rp.MaxRectsBaf,
        rp.MaxRectsBl,
        rp.SkylineBlWm,
        rp.SkylineMwf,
        rp.GuillotineBssfSas,
    )
    orders = (rp.SORT_AREA, rp.SORT_SSIDE, rp.SORT_LSIDE, rp.SORT_PERI)
    fewest = len(rectangles)
    for algorithm in algorithms:
        for order in orders:
            packer = rp.newPacker(pack_algo=algorithm, sort_algo=order, rotation=False)
            for rectangle in rectangles:
                packer.add_rect(rectangle.num_rows, rectangle.num_columns)
            packer.add_bin(NUM_ROWS, NUM_COLUMNS, count=float("inf"))
            packer.pack()
            if len(packer.rect_list()) == len(rectangles):
                fewest = min(fewest, len(packer))
    return fewest


@dataclass
class Tally:
    """What came of the instances of one family."""

    failures: int = 0
    errors: int = 0
    to_area: list[float] = field(default_factory=list)
    to_bound: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    ours_and_theirs: list[tuple[int, int]] = field(default_factory=list)


def measure(family: Callable, num_instances: int, seed: int, effort: int | None) -> Tally:
    draw = random.Random(f"{seed} {family.__name__}")
    tally = Tally()
    choice = {} if effort is None else {"effort": effort}
    for number in range(num_instances):
        rectangles = family(draw, draw.randint(10, 60))
        start = time.perf_counter()
        try:
            packing = pack(rectangles, NUM_ROWS, NUM_COLUMNS, NUM_BINS, **choice)
        except Exception as error:
            tally.failures += 1
            print(f"{family.__name__} {number}: {error!r}")
            continue
        tally.seconds.append(time.perf_counter() - start)
        tally.errors += count_errors(rectangles, packing)
        tally.to_area.append(packing.num_bins_used / packing.area_bound)
        tally.to_bound.append(packing.num_bins_used / lower_bound(rectangles, NUM_ROWS, NUM_COLUMNS))
        if number % NUM_PER_ORACLE == 0:
            tally.ours_and_theirs.append((packing.num_bins_used, rectpack_bins(rectangles)))
    return tally


def line(name: str, tallies: list[Tally]) -> str:
    areas = [ratio for tally in tallies for ratio in tally.to_area]
    bounds = [ratio for tally in tallies for ratio in tally.to_bound]
    seconds = [second for tally in tallies for second in tally.seconds]
    pairs = [pair for tally in tallies for pair in tally.ours_and_theirs]
    theirs = sum(pair[1] for pair in pairs) / max(1, sum(pair[0] for pair in pairs))
    worse = sum(pair[0] > pair[1] for pair in pairs)
    return (
        f"{name:<12}{len(areas):>10}{sum(t.failures for t in tallies):>9}{sum(t.errors for t in tallies):>9}"
        f"{np.mean(areas):>10.4f}{np.mean(bounds):>10.4f}{np.mean(np.array(bounds) == 1):>9.1%}"
        f"{1e3 * np.mean(seconds):>8.1f}{1e3 * max(seconds):>8.0f}{theirs:>10.3f}{worse:>7}/{len(pairs)}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Measures the packer; see the top of this file.")
    parser.add_argument("--instances", type=int, default=3000, help="of the two main families together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--effort", type=int, default=None, help="instead of the packer's own default")
    options = parser.parse_args()
    print(
        "family       instances failures   errors   to area  to bound   proven      ms  max ms"
        "  rectpack  worse than it"
    )
    share = options.instances // 2
    tallies = []
    for family, num_instances in ((cnn, share), (half, options.instances - share), (full, share // 2)):
        tallies.append(measure(family, num_instances, options.seed, options.effort))
        print(line(family.__name__, tallies[-1:]), flush=True)
    print(line("cnn + half", tallies[:2]))
    print(line("all three", tallies))
    packing = pack(resnet_32(), NUM_ROWS, NUM_COLUMNS, 8)
    errors = count_errors(resnet_32(), packing)
    print(f"ResNet-32: {packing.num_bins_used} of 8 bins (area bound {packing.area_bound}), {errors} errors")


if __name__ == "__main__":
    main()
