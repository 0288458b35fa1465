"""Figures of a cost report in words, for the page and for the terminal."""

from typing import Any

from crossloom.report.formats import UNKNOWN, show_count, show_share
from crossloom.units import format_si

_PER_SQUARE_MILLIMETRE = 1e6


def rate_rows(facts: dict[str, Any]) -> list[list[str]]:
    """Name, effective, peak, and the share of the peak that is met."""
    effective, peak = facts["rates"]["effective"], facts["rates"]["peak"]
    rows = []
    for name, key, show in (
        ("throughput", "throughput", show_throughput),
        ("throughput for each watt", "operations_per_joule", show_efficiency),
        ("throughput for each area", "operations_per_area", show_density),
        ("power", "power", show_power),
    ):
        share = effective[key] / peak[key] if peak[key] and effective[key] is not None else None
        rows.append([name, show(effective[key]), show(peak[key]), show_share(share)])
    return rows


def show_throughput(value: float | None) -> str:
    """Operations per second.

    >>> show_throughput(4.13e13), show_throughput(None)
    ('41.3 TOPS', '–')
    """
    return UNKNOWN if value is None else format_si(value, "OPS", 3)


def show_efficiency(value: float | None) -> str:
    """Operations per joule, as operations per second and watt.

    >>> show_efficiency(6.28e11)
    '628 GOPS/W'
    """
    return UNKNOWN if value is None else format_si(value, "OPS/W", 3)


def show_density(value: float | None) -> str:
    """Operations per second and square metre, as square millimetres.

    >>> show_density(4.79e17)
    '479 GOPS/mm²'
    """
    return UNKNOWN if value is None else format_si(value / _PER_SQUARE_MILLIMETRE, "OPS/mm²", 3)


def show_time(value: float) -> str:
    """A time; one of zero is not known.

    >>> show_time(2.5e-6), show_time(0.0)
    ('2.5 µs', '–')
    """
    return format_si(value, "s", 3) if value else UNKNOWN


def show_power(value: float | None) -> str:
    """A power."""
    return UNKNOWN if value is None else format_si(value, "W", 3)


def describe_programming(programming: dict[str, Any]) -> str:
    """What writing the cells once cost, in a sentence."""
    parts = [
        format_si(programming[key], unit, 3)
        for key, unit in (("energy", "J"), ("time", "s"))
        if programming[key] is not None
    ]
    if programming["num_pulses"] is not None:
        parts.insert(0, f"{show_count(programming['num_pulses'])} pulses")
    return f"Programming the cells once: {', '.join(parts) or 'not known'}."
