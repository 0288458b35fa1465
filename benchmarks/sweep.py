"""What a sweep adds to its objective: points per second with and without a store, beside a bare loop and Optuna's.

    python benchmarks/sweep.py --points 1000 --optuna-points 30 --seed 0

The objective is a sum of squares of four knobs, so that nothing but the overhead is measured; random points, one
process. "bare loop" draws points as `Random` does and calls the objective. "memory" is `sweep` without a store, "store"
with one in SQLite. "Optuna" is `optimize` with its RandomSampler on its own SQLite storage, as it comes. Each is run
`--runs` times in turns, and the medians are given; ratios are to the bare loop and to Optuna. Processor seconds are
given beside those of the clock, since on a loaded machine the latter tell less. Files lie in a temporary folder, or
in the one that --folder names.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np

from crossloom.search import Float, Space, sweep

SPACE = Space({name: Float(-1.0, 1.0) for name in "abcd"})
GOALS = {"loss": "minimise"}


def objective(values):
    return sum(value**2 for value in values.values())


def bare_loop(points: int, seed: int, folder: Path) -> None:
    generator = np.random.default_rng(seed)
    min(objective(SPACE.from_unit(generator.random(4))) for _ in range(points))


def in_memory(points: int, seed: int, folder: Path) -> None:
    sweep(objective, SPACE, GOALS, sampler="random", budget=points, seed=seed)


def in_store(points: int, seed: int, folder: Path) -> None:
    sweep(objective, SPACE, GOALS, sampler="random", budget=points, seed=seed, store=_fresh(folder))


def optuna_sqlite(points: int, seed: int, folder: Path) -> None:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sampler = optuna.samplers.RandomSampler(seed=seed)
    study = optuna.create_study(storage=f"sqlite:///{_fresh(folder)}", sampler=sampler)
    study.optimize(lambda trial: objective({n: trial.suggest_float(n, -1, 1) for n in "abcd"}), points)


def _fresh(folder: Path) -> Path:
    return folder / f"{time.time_ns()}.sqlite"


def measure(
    run: Callable[[int, int, Path], None], points: int, seed: int, folder: Path
) -> tuple[float, float]:
    """Seconds per point: of the clock, and of the processor."""
    clock, processor = time.perf_counter(), time.process_time()
    run(points, seed, folder)
    return (time.perf_counter() - clock) / points, (time.process_time() - processor) / points


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--points", type=int, default=1000)
    parser.add_argument("--optuna-points", type=int, default=30)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    cases = {
        "bare loop": (bare_loop, options.points),
        "memory": (in_memory, options.points),
        "store": (in_store, options.points),
        "Optuna, SQLite": (optuna_sqlite, options.optuna_points),
    }
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in cases}
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        for run, _ in cases.values():
            run(5, options.seed, Path(folder))  # imports
        for turn in range(options.runs):
            for name, (run, points) in cases.items():
                times[name].append(measure(run, points, options.seed + turn, Path(folder)))
    print_table(
        {name: tuple(median(column) for column in zip(*rows, strict=True)) for name, rows in times.items()}
    )


def print_table(medians: dict[str, tuple[float, ...]]) -> None:
    print("| | per point | processor | points/s | ratio to bare loop | ratio to Optuna |")
    print("|---|---|---|---|---|---|")
    floor, optuna = medians["bare loop"], medians["Optuna, SQLite"]
    for name, (clock, processor) in medians.items():
        ratios = f"{clock / floor[0]:.1f} | {clock / optuna[0]:.3f}"
        print(f"| {name} | {1e3 * clock:.3f} ms | {1e3 * processor:.3f} ms | {1 / clock:.0f} | {ratios} |")


if __name__ == "__main__":
    main()
