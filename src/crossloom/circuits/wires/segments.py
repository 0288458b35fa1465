"""The resistances of one crossbar, cell by cell, and which of its ends are open."""

from dataclasses import dataclass
from math import isinf

from crossloom.spec import Wires


@dataclass(frozen=True)
class Segments:
    """Resistances in ohm around a rectangle of cells.

    before: of the wire between a cell and its left neighbour, or the driver, [column].  behind: of the wire
    between a cell and the one below, or the sensing end, [row].  right, top: of the second driver and the
    second sensing end with their segments; None when that end is open.  turned: the axes, of -2 rows and -1
    columns, that run backwards here, because the near end is open and the far one is not.
    """

    before: tuple[float, ...]
    behind: tuple[float, ...]
    right: float | None = None
    top: float | None = None
    turned: tuple[int, ...] = ()

    @property
    def is_connected(self) -> bool:
        """Whether any current can flow at all."""
        return not any(map(isinf, (*self.before, *self.behind)))

    @property
    def is_zero(self) -> bool:
        """Whether there is no resistance at all."""
        return not any((*self.before, *self.behind))


def segments(
    wires: Wires,
    num_rows: int,
    num_columns: int,
    lead_columns: tuple[int, int] = (0, 0),
    lead_rows: tuple[int, int] = (0, 0),
) -> Segments:
    """Resistances around `num_rows` x `num_columns` cells.

    lead_columns: how many cells that carry no current lie on the word lines before and behind these; lead_rows:
    the same on the bit lines, above and below. Their wires are in the way.
    """
    near, far, is_turned = _ends(wires.driver, wires.far_driver)
    bottom, top, is_upside_down = _ends(wires.sense, wires.far_sense)
    ahead, after = lead_columns[::-1] if is_turned else lead_columns
    above, beneath = lead_rows[::-1] if is_upside_down else lead_rows
    before = [wires.word_line * (ahead + 1) + near, *[wires.word_line] * (num_columns - 1)]
    behind = [*[wires.bit_line] * (num_rows - 1), wires.bit_line * (beneath + 1) + bottom]
    turned = (*((-1,) if is_turned else ()), *((-2,) if is_upside_down else ()))
    return Segments(
        tuple(before),
        tuple(behind),
        _far_end(far, wires.word_line * (after + 1), any(before)),
        _far_end(top, wires.bit_line * (above + 1), any(behind)),
        turned,
    )


def _ends(near: float, far: float | None) -> tuple[float, float | None, bool]:
    """The end that is closed comes first."""
    return (far, None, True) if isinf(near) and far is not None else (near, far, False)


def _far_end(resistance: float | None, wire: float, is_needed: bool) -> float | None:
    """A second end; where the first one has no resistance on its way, the second one changes nothing."""
    if resistance is None or isinf(resistance) or not is_needed:
        return None
    return resistance + wire
