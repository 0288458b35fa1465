"""What it takes to write a system anew, round after round, and how long its cells bear it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from crossloom.units import format_si

if TYPE_CHECKING:
    from crossloom.placement.place import Placement


@dataclass(frozen=True)
class Rewriting:
    """One pass through all rounds, which every batch takes.

    num_cells: written in a pass.  most_writes: of one cell in a pass, at most.  time: s, one nominal pulse for every
    cell, one after another.  energy: J, of these pulses in cells at the middle of their window.  life: passes until
    the characteristic number of write cycles of the busiest cell. None where the system does not say.

    Write-verify takes several pulses a cell, so that a pass costs at least this.
    """

    num_rounds: int
    num_cells: int
    most_writes: int
    time: float | None
    energy: float | None
    life: float | None

    def summary(self) -> str:
        """The write cost and the endurance, in one line."""
        known = [(self.time, "s one after another"), (self.energy, "J")]
        costs = [format_si(value, unit) for value, unit in known if value is not None]
        told = f" ({', '.join(costs)})" if costs else " (their time and energy are not known)"
        life = (
            "how often cells can be written is not known"
            if self.life is None
            else f"cells endure {self.life:,.0f} batches"
        )
        return (
            f"too small for all tiles at once: every batch writes {self.num_cells:,} cells in "
            f"{self.num_rounds} rounds, with at least as many pulses{told}, a cell up to "
            f"{self.most_writes} times; {life}"
        )


def rewriting(placement: "Placement") -> Rewriting | None:
    """What a pass through the rounds of a placement takes; None where all tiles are there at once."""
    if not placement.rounds:
        return None
    cell = placement.system.macro.cell
    written = {(site.address, number) for site, number in zip(placement.sites, placement.rounds, strict=True)}
    times: dict[object, int] = {}
    for address, _ in written:
        times[address] = times.get(address, 0) + 1
    most, num_cells, pulse = max(times.values()), placement.mapped.num_cells, cell.pulse
    endurance = getattr(cell.device, "endurance", None)
    life = None if endurance is None or endurance.life is None else endurance.life / most
    time = None if pulse is None else num_cells * pulse.width
    middle = (cell.g_min + cell.g_max) / 2
    energy = (
        None if time is None or pulse is None or pulse.voltage is None else pulse.voltage**2 * middle * time
    )
    return Rewriting(placement.num_rounds, num_cells, most, time, energy, life)
