"""How long a million cells take to program.

    python benchmarks/programming.py [--threads N]

(e) 1,000,000 cells of one crossbar by Gaussian write-verify to 1 % of g_max, with pulses that spread by 0.3, and once
    more as 61 macros of 128 x 128. The floor draws as many Gaussian numbers once. For information, the worst case: with
    0.1 % of stuck cells all 100 rounds are taken. Processor time, of all threads together, bounds what a quiet machine
    takes.
"""

import argparse
import time

import torch

import crossloom as xl
from crossloom.backends import SimulatedBackend
from crossloom.hardware import Region
from crossloom.spec import MacroAddress

MACRO = "chip.core.macro"
CELL = f"{MACRO}.crossbar.cell"
PULSE = {"width": 1e-7, "step": 5e-7, "max_width": 1e-5}
CASES = (
    ("all sound", {}),
    ("0.1 % stuck", {"stuck_low": 1e-3}),
)


def system(num_rows: int, num_columns: int, num_chips: int, device: dict[str, float]) -> xl.SystemSpec:
    """Chips of one macro each."""
    return xl.load_system(
        "ideal",
        {
            "num_chips": num_chips,
            "chip.num_cores": 1,
            "chip.core.num_macros": 1,
            f"{MACRO}.crossbar.num_rows": num_rows,
            f"{MACRO}.crossbar.num_columns": num_columns,
            f"{CELL}.g_min": 1e-6,
            f"{CELL}.pulse": PULSE,
            f"{CELL}.device": {"kind": "gaussian", "pulse_spread": 0.3, **device},
        },
    )


def time_cells(num_rows: int, num_columns: int, num_chips: int) -> None:
    for name, device in CASES:
        targets = 1e-6 + 9e-5 * torch.rand(num_chips, num_rows, num_columns, dtype=torch.float64)
        region = Region(0, 0, num_rows, num_columns)
        backend = SimulatedBackend(system(num_rows, num_columns, num_chips, device))
        began, used = time.perf_counter(), time.process_time()
        written = [
            xl.WriteVerify().write(backend, MacroAddress(chip, 0, 0), region, targets[chip])
            for chip in range(num_chips)
        ]
        seconds, used = time.perf_counter() - began, time.process_time() - used
        began = time.perf_counter()
        torch.randn(targets.shape)
        floor = time.perf_counter() - began
        pulses = sum(one.pulses.sum().item() for one in written) / targets.numel()
        failed = sum(one.failed.sum().item() for one in written)
        print(
            f"(e) {num_chips} x {num_rows} x {num_columns}, {name}: {seconds:.2f} s (bound 15 s), "
            f"processor {used:.2f} s, {seconds / floor:.0f} x one Gaussian draw; "
            f"{pulses:.2f} pulses a cell, {failed:,.0f} failed",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"torch {torch.__version__}, {options.threads} threads")
    time_cells(1000, 1000, 1)
    time_cells(128, 128, 61)


if __name__ == "__main__":
    main()
