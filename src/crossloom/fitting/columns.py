"""Columns of measurements: what their names mean, and how their units become SI."""

from dataclasses import dataclass

from crossloom.errors import DataError
from crossloom.registry import did_you_mean

LABELS = ("cell", "write", "read", "pulse")

_SIEMENS = {"S": 1.0, "mS": 1e-3, "uS": 1e-6, "nS": 1e-9}
_OHM = {"ohm": 1.0, "kohm": 1e3, "Mohm": 1e6}
_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "min": 60.0, "h": 3600.0}
_VOLT = {"V": 1.0, "mV": 1e-3}

UNITS = {
    "conductance": _SIEMENS,
    "conductance_before": _SIEMENS,
    "conductance_after": _SIEMENS,
    "resistance": _OHM,
    "resistance_before": _OHM,
    "resistance_after": _OHM,
    "target": _SIEMENS | _OHM,
    "elapsed": _SECONDS,
    "width": _SECONDS,
    "voltage": _VOLT,
}


@dataclass(frozen=True)
class Column:
    """One column of a file.

    header: as in the file.  quantity: what it holds, one of `UNITS` (resistances count as conductances) or `LABELS`.
    factor: what its numbers are multiplied by to become SI.  is_inverse: whether they are resistances.
    """

    header: str
    quantity: str
    factor: float = 1.0
    is_inverse: bool = False

    @property
    def is_label(self) -> bool:
        return self.quantity in LABELS


def parse_column(header: str) -> Column | None:
    """What a column's header says; None when it is no column of ours.

    >>> parse_column("resistance_kohm")
    Column(header='resistance_kohm', quantity='conductance', factor=1000.0, is_inverse=True)

    DataError for a quantity of ours without a unit, or in a unit that is not of its kind.
    """
    if header in LABELS:
        return Column(header, header)
    plain = header.replace("µ", "u").replace("μ", "u").replace("Ohm", "ohm")
    quantity, _, unit = plain.rpartition("_")
    if plain in UNITS:
        quantity, unit = plain, ""
    if quantity not in UNITS:
        _refuse_a_slip(header, quantity)
        return None
    if unit not in UNITS[quantity]:
        known = ", ".join(f"{quantity}_{name}" for name in UNITS[quantity])
        wrong = f"of unit {unit!r}" if unit else "without a unit"
        raise DataError(f"column {header!r} is {wrong}; call it one of {known}")
    is_inverse = unit in _OHM
    return Column(header, quantity.replace("resistance", "conductance"), UNITS[quantity][unit], is_inverse)


def _refuse_a_slip(header: str, quantity: str) -> None:
    """DataError for a name that is nearly one of ours: a column left out by mistake would change the fit."""
    for name in (quantity, header):
        advice = did_you_mean(name.lower(), [*UNITS, *LABELS])
        if name and advice.startswith("did you mean"):
            raise DataError(f"column {header!r} is not known; {advice} (else give it another name)")
