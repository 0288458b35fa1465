"""Write-verify to 32 levels on measured TaOx cells: how many pulses, and what error remains.

    python examples/measured_cells.py FOLDER [--per-level N]

FOLDER holds jump tables (`taox_01.npz` and the like: how far one pulse moved a cell, as a distribution over the
conductance that it had). The numbers of pulses were chosen by a rule on taox_01 and taox_10 alone; taox_15 and taox_18
are held out.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import torch

import crossloom as xl
from crossloom.hardware import Region
from crossloom.programming import Written
from crossloom.spec import JumpTable, MacroAddress

TUNED_ON, HELD_OUT = ("taox_01", "taox_10"), ("taox_15", "taox_18")
NUM_LEVELS = 32
MARGIN = 0.05  # of the measured range, left out at either end: what cells do beyond it is not known
# Tolerances in steps from level to level, and for each the fewest hundreds of pulses with which at most one cell in a
# thousand failed on the tables tuned on.
MAX_PULSES = {0.5: 600, 0.25: 1000}
MACRO = "chip.core.macro"
CELL = f"{MACRO}.crossbar.cell"


@dataclass(frozen=True)
class Outcome:
    """Cells of one table, written to all levels.  error: S, [level, cell].  step: S, from one level to the next."""

    written: Written
    error: torch.Tensor
    step: float

    @property
    def mean_pulses(self) -> float:
        return self.written.pulses.double().mean().item()

    @property
    def most_pulses(self) -> float:
        """What 95 % of the cells stay within."""
        return self.written.pulses.double().flatten().quantile(0.95).item()

    @property
    def share_failed(self) -> float:
        return self.written.failed.double().mean().item()

    @property
    def rms_error(self) -> float:
        """Of all cells, failed ones too, S."""
        return self.error.square().mean().sqrt().item()

    @property
    def rms_reached(self) -> float:
        """Of those that did not fail, S."""
        return self.error[~self.written.failed].square().mean().sqrt().item()

    def line(self) -> str:
        """For people."""
        reached, everywhere = (f"{rms * 1e6:.3f} uS" for rms in (self.rms_reached, self.rms_error))
        return (
            f"{self.mean_pulses:.1f} pulses a cell, 95 % of cells within {self.most_pulses:.0f}; "
            f"{self.share_failed:.3%} failed; error {reached} rms ({self.rms_reached / self.step:.3f} steps), with "
            f"failed ones {everywhere}"
        )


def measured_system(table: Path, per_level: int) -> xl.SystemSpec:
    """One crossbar of cells of this table, a row for each level. Every pulse is one that was measured: of one width."""
    jumps = JumpTable.read(table, rearranged=True)
    lowest, highest = jumps.increasing.conductance[0], jumps.increasing.conductance[-1]
    margin = MARGIN * (highest - lowest)
    overrides = {
        "num_chips": 1,
        "chip.num_cores": 1,
        "chip.core.num_macros": 1,
        f"{MACRO}.crossbar.num_rows": NUM_LEVELS,
        f"{MACRO}.crossbar.num_columns": per_level,
        f"{CELL}.g_min": lowest + margin,
        f"{CELL}.g_max": highest - margin,
        f"{CELL}.num_levels": NUM_LEVELS,
        f"{CELL}.pulse": {"width": 1e-6, "step": 1e-6, "max_width": 1e-6},
        f"{CELL}.device": {"kind": "jump_table", "table": jumps.model_dump()},
    }
    return xl.load_system("ideal", overrides)


def write_levels(system: xl.SystemSpec, tolerance: float, max_pulses: int, seed: int = 0) -> Outcome:
    """Write each level into a row of cells; `tolerance` in steps from one level to the next."""
    cell, crossbar = system.macro.cell, system.macro.crossbar
    step = (cell.g_max - cell.g_min) / (NUM_LEVELS - 1)
    levels = torch.linspace(cell.g_min, cell.g_max, NUM_LEVELS, dtype=torch.float64)
    targets = levels[:, None].repeat(1, crossbar.num_columns)
    strategy = xl.WriteVerify(tolerance=tolerance * step, max_pulses=max_pulses)
    backend, first = xl.SimulatedBackend(system, seed), MacroAddress(0, 0, 0)
    region = Region(0, 0, NUM_LEVELS, crossbar.num_columns)
    written = strategy.write(backend, first, region, targets)
    return Outcome(written, backend.conductance(first, region) - targets, step)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--per-level", type=int, default=1000)
    options = parser.parse_args()
    for name in (*TUNED_ON, *HELD_OUT):
        system = measured_system(options.folder / f"{name}.npz", options.per_level)
        kind = "tuned on" if name in TUNED_ON else "held out"
        for tolerance, max_pulses in MAX_PULSES.items():
            outcome = write_levels(system, tolerance, max_pulses)
            print(f"{name} ({kind}), within {tolerance} steps: {outcome.line()}", flush=True)


if __name__ == "__main__":
    main()
