"""Where one tile lies."""

from dataclasses import dataclass

from crossloom.artefacts import saved
from crossloom.spec import MacroAddress

saved(MacroAddress)


@saved
@dataclass(frozen=True)
class Site:
    """Where a tile lies: its macro, and the cell of its first row and column."""

    address: MacroAddress
    row: int
    column: int
