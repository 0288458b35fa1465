"""One scale for all figures of a column or an axis, so that they can be compared by eye."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import floor, isfinite, log10

_PREFIXES = {-18: "a", -15: "f", -12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T"}
_AREAS = {-12: "µm²", -6: "mm²", -4: "cm²", 0: "m²"}
_UNITS = {
    **dict.fromkeys(("energy",), "J"),
    **dict.fromkeys(("latency", "time", "interval", "duration", "seconds"), "s"),
    **dict.fromkeys(("accuracy", "agreement"), "%"),
    **dict.fromkeys(("throughput", "frequency"), "1/s"),
    "area": "m²",
    "power": "W",
    "voltage": "V",
}


@dataclass(frozen=True)
class Scale:
    """What numbers in SI units are multiplied by, and the unit that they are then in."""

    factor: float = 1.0
    unit: str = ""

    def title(self, name: str) -> str:
        """A heading with its unit.

        >>> Scale(1e6, "µJ").title("energy")
        'energy (µJ)'
        """
        return f"{name} ({self.unit})" if self.unit else name

    def show(self, value: float | None, digits: int = 3) -> str:
        """A number in this unit, without the unit.

        >>> Scale(1e6, "µJ").show(1.25e-6), Scale().show(None), Scale(1e12, "µm²").show(0.5)
        ('1.25', '–', '500,000,000,000')
        """
        if value is None:
            return "–"
        scaled = value * self.factor
        return f"{scaled:,.0f}" if 10**digits <= abs(scaled) < 1e15 else f"{scaled:.{digits}g}"

    def show_range(self, low: float | None, high: float | None, digits: int = 3) -> str:
        """From the lowest to the highest; nothing where they are one."""
        if low is None or high is None or low == high:
            return ""
        return f"{self.show(low, digits)} to {self.show(high, digits)}"


def scale_for(values: Iterable[float | None], unit: str) -> Scale:
    """The scale in which the largest of the values has one to three digits before its point.

    >>> scale_for([2e-6, 3e-7], "J"), scale_for([0.4], "%"), scale_for([3e-6], "m²"), scale_for([4e4], "")
    (Scale(factor=1000000.0, unit='µJ'), Scale(factor=100.0, unit='%'), Scale(factor=1000000.0, unit='mm²'), \
Scale(factor=1.0, unit=''))
    """
    if unit in ("", "%"):
        return Scale(100.0 if unit else 1.0, unit)
    sizes = [abs(value) for value in values if value and isfinite(value)]
    if not sizes:
        return Scale(1.0, unit)
    if unit == "m²":
        exponent = max((power for power in _AREAS if max(sizes) >= 10.0**power), default=-12)
        return Scale(10.0**-exponent, _AREAS[exponent])
    exponent = min(max(3 * floor(log10(max(sizes)) / 3), -18), 12)
    return Scale(10.0**-exponent, f"{_PREFIXES[exponent]}{unit}")


def unit_of(name: str) -> str:
    """The SI unit that the name of a goal gives away; "%" for shares, nothing where it gives nothing away.

    >>> unit_of("accuracy"), unit_of("energy per sample"), unit_of("chip_area"), unit_of("score")
    ('%', 'J', 'm²', '')
    """
    words = name.lower().replace("_", " ").replace(".", " ").split()
    return next((_UNITS[word] for word in reversed(words) if word in _UNITS), "")
