"""Device models from two published sets of measurements.

    python examples/fit_measured_rram.py --data DIR [--output DIR] [--degree N]

DIR (or $CROSSLOOM_DATA) holds device/rram_relaxation_levy (16,000 cells and 5 time series: Levy et al.,
akashlevy/RRAM-Relaxation-Master-Model, MIT) and device/rram_radar_levy (write-verify of 8,192 cells by three schemes,
akashlevy/RRAM-RADAR-Tuning). Turns each into the long CSV that `fit_device` reads (written to --output), fits it, and
prints the summary. The last line is one JSON object with every parameter.
"""

import argparse
import gzip
import json
import os
import time
from pathlib import Path

import numpy as np

import crossloom as xl
from crossloom.fitting import FitConfig, fit_device

RADAR = {
    "FPPV": "fppv-4wl-eval-chip1-8-7-20",
    "ISPP": "ispp-4wl-eval-chip1-8k-8-9-20",
    "SDR": "sdr-4wl-eval-chip1-8-7-20",
}
NUM_LEVELS, LEVEL_STEP = 32, 40e-6 / 32


def write_csv(path: Path, **columns: np.ndarray) -> Path:
    with gzip.open(path, "wt", compresslevel=1) as file:
        file.write(",".join(columns) + "\n")
        np.savetxt(file, np.column_stack(list(columns.values())), delimiter=",", fmt="%.9g")
    return path


def convert_relaxation(folder: Path, output: Path) -> Path:
    """Technology C: every cell when written, and at five later times.

    Level l of 32 was written to between l and l + 1 steps of 1.25 uS: its target is the middle. The few cells that
    were found above level 31 when written have no target, and are left out; so is one negative reading.
    """
    table = np.loadtxt(folder / "data/techC/relaxdata.min.tsv.gz")
    cell, elapsed, conductance, level = table[:, 0], table[:, 1], table[:, 3], table[:, 5]
    kept = (level < NUM_LEVELS) & (conductance >= 0)
    target = (level + 0.5) * LEVEL_STEP
    return write_csv(
        output / "relaxation.csv.gz",
        cell=cell[kept],
        target_S=target[kept],
        elapsed_s=elapsed[kept],
        conductance_S=conductance[kept],
    )


def convert_series(folder: Path, output: Path) -> Path:
    """Technology A: five cells, each read 100,000 times at 400 Hz; every tenth read is kept."""
    table = np.loadtxt(folder / "data/techA/tsdata.min.tsv.gz")
    cells, reads = table[:, 0], table[:, 2::10]
    return write_csv(
        output / "series.csv.gz",
        cell=np.repeat(cells, reads.shape[1]),
        conductance_S=reads.ravel(),
    )


def convert_write_verify(folder: Path, scheme: str, output: Path) -> tuple[Path, dict[str, float]]:
    """The two middle of four levels, which have a range on both sides; target: its middle in conductance.

    Also: pulses per write, over all four levels, with their standard error, and the share of writes that succeeded.
    """
    table = np.loadtxt(folder / f"{RADAR[scheme]}.csv.gz")
    cell, sets, resets, found, low, high, done = table[:, [0, 2, 3, 4, 6, 7, 8]].T
    pulses = sets + resets
    kept = (low > 0) & (high < 1e6) & (found > 0)
    file = write_csv(
        output / f"write_verify_{scheme.lower()}.csv.gz",
        cell=cell[kept],
        write=np.flatnonzero(kept),
        target_S=((1 / low[kept] + 1 / high[kept]) / 2),
        resistance_ohm=found[kept],
    )
    error = pulses.std() / len(pulses) ** 0.5
    return file, {
        "pulses": pulses.mean(),
        "pulses_error": error,
        "success": done.mean(),
        "writes": len(pulses),
    }


def show(title: str, files: Path, config: FitConfig) -> dict[str, list[float]]:
    began = time.perf_counter()
    fit = fit_device(files, config)
    print(f"\n== {title} ({time.perf_counter() - began:.1f} s)\n{fit.summary()}", flush=True)
    return {each.name: [each.value, each.low, each.high] for each in fit.parameters}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=os.environ.get("CROSSLOOM_DATA"))
    parser.add_argument("--output", type=Path, default=Path("out/fit_measured_rram"))
    parser.add_argument("--degree", type=int, default=3)
    options = parser.parse_args()
    if options.data is None:
        raise xl.DataError("give --data, the folder that holds device/, or set CROSSLOOM_DATA")
    device, output = Path(options.data) / "device", options.output
    output.mkdir(parents=True, exist_ok=True)
    cubic, figures = FitConfig(degree=options.degree), {}
    relaxation = convert_relaxation(device / "rram_relaxation_levy", output)
    figures["relaxation"] = show("relaxation, technology C: table over time", relaxation, cubic)
    law = FitConfig(degree=options.degree, over_time="logarithmic")
    figures["law"] = show("relaxation, technology C: law in ln t", relaxation, law)
    series = convert_series(device / "rram_relaxation_levy", output)
    figures["reads"] = show("repeated reads, technology A", series, FitConfig(degree=1))
    for scheme in RADAR:
        file, counts = convert_write_verify(device / "rram_radar_levy", scheme, output)
        config = FitConfig(degree=1, with_outliers=True)
        figures[scheme] = show(f"write-verify by {scheme}", file, config) | counts
        print(
            f"{counts['pulses']:.2f} ± {counts['pulses_error']:.2f} pulses per write, {counts['success']:.1%} of "
            f"{counts['writes']:,} writes succeeded"
        )
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
