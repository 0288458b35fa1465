"""What a run did: every action counted, layer by layer."""

from collections.abc import Iterable
from dataclasses import dataclass, fields

from crossloom.artefacts import saved


@saved
@dataclass(frozen=True)
class ActionCounts:
    """num_mvms: MVMs of tiles.  num_cycles: their input cycles.  num_row_drives: pulses that rows could carry.
    num_conversions: of converters.  bytes_in, bytes_out: over links, to chips and from them.
    """

    num_mvms: int = 0
    num_cycles: int = 0
    num_row_drives: int = 0
    num_conversions: int = 0
    bytes_in: int = 0
    bytes_out: int = 0

    def __add__(self, other: "ActionCounts") -> "ActionCounts":
        pairs = ((getattr(self, field.name), getattr(other, field.name)) for field in fields(self))
        return ActionCounts(*(a + b for a, b in pairs))


def total(counts: Iterable[ActionCounts]) -> ActionCounts:
    """The sum of counts."""
    return sum(counts, ActionCounts())
