"""Numbers as people read them."""

from crossloom.units import format_si

UNKNOWN = "–"


def show_count(number: float | None) -> str:
    """A count, shortened from ten million on.

    >>> show_count(1234567), show_count(56_800_000), show_count(None)
    ('1,234,567', '56.8 M', '–')
    """
    if number is None:
        return UNKNOWN
    return f"{number:,.0f}" if abs(number) < 1e7 else format_si(number, "", 3)


def show_number_of(number: int, noun: str) -> str:
    """How many of something.

    >>> show_number_of(1, "macro"), show_number_of(1200, "tile")
    ('1 macro', '1,200 tiles')
    """
    return f"{show_count(number)} {noun}{'' if number == 1 else 's'}"


def show_share(share: float | None, digits: int = 1) -> str:
    """A share in per cent; what is above nothing never looks like nothing.

    >>> show_share(0.1234), show_share(1e-6), show_share(0.0), show_share(None)
    ('12.3%', '<0.1%', '0%', '–')
    """
    if share is None:
        return UNKNOWN
    if 0 < share < 0.5 * 10 ** -(digits + 2):
        return f"<{10.0**-digits:.{digits}f}%"
    return "0%" if share == 0 else f"{share:.{digits}%}"


def show_db(value: float | None, is_exact: bool | None = False) -> str:
    """A ratio in dB, or that there is no error at all."""
    if is_exact:
        return "exact"
    return UNKNOWN if value is None else f"{value:.1f}"


def show_points(drop: float | None) -> str:
    """A change of a share in percentage points; a drop is below zero.

    >>> show_points(0.031), show_points(-0.002), show_points(0.0)
    ('−3.1', '+0.2', '0')
    """
    return show_change(drop, 100)


def show_change(drop: float | None, scale: float = 1.0) -> str:
    """What a drop changes, with its sign."""
    if drop is None:
        return ""
    shown = f"{abs(drop * scale):.1f}"
    return "0" if float(shown) == 0 else f"{'−' if drop > 0 else '+'}{shown}"


def show_siemens(value: float | None, digits: int = 3) -> str:
    """A conductance."""
    return UNKNOWN if value is None else format_si(value, "S", digits)


def show_programming(programming: dict) -> str:
    """How cells were written, in one sentence."""
    cells, tolerance = max(programming["num_cells"], 1), programming["tolerance"]
    within = "" if tolerance is None else f" within ± {show_siemens(tolerance)}"
    pulses = f", {programming['num_pulses'] / cells:.2f} pulses a cell" if programming["num_pulses"] else ""
    share = show_share(programming["num_failed"] / cells, 2)
    failed = "" if tolerance is None else f", {programming['num_failed']:,} failed ({share})"
    return (
        f"{show_count(programming['num_cells'])} cells by {programming['strategy']}{within}{pulses}{failed}; "
        f"error {show_siemens(programming['error_std'])} rms after {programming['settle']:g} s"
    )


def show_micro(value: float | None) -> str:
    """A number in millionths, for a column whose title has the unit."""
    return UNKNOWN if value is None else f"{value * 1e6:.2f}"


def show_bytes(number: float) -> str:
    """An amount of data.

    >>> show_bytes(4320), show_bytes(999)
    ('4.32 kB', '999 B')
    """
    return f"{number:,.0f} B" if number < 1000 else format_si(number, "B", 3)


def show_range(bounds: list[float] | None, digits: int = 3) -> str:
    """One number, or the lowest and the highest of several.

    >>> show_range([12.0, 12.0]), show_range([12.0, 63.0])
    ('12', '12–63')
    """
    if bounds is None:
        return UNKNOWN
    shown = [f"{bound:.{digits}g}" for bound in bounds]
    return shown[0] if shown[0] == shown[1] else "–".join(shown)


def show_operation(row: dict) -> str:
    """A matrix operation in short: what it is, its kernel, its size.

    >>> show_operation({"operation": "linear", "kernel": None, "num_inputs": 64, "num_outputs": 10})
    'linear 64→10'
    """
    parts = [row["operation"]]
    if row["kernel"]:
        parts.append("×".join(map(str, row["kernel"])))
        if max(row["stride"]) > 1:
            parts.append("/" + "×".join(map(str, dict.fromkeys(row["stride"]))))
    parts.append(f"{row['num_inputs']}→{row['num_outputs']}")
    if row.get("groups", 1) > 1:
        parts.append(f"in {row['groups']} groups")
    return " ".join(parts)


def shorten(text: str, most: int = 28) -> str:
    """The text, or its end behind an ellipsis: names of layers differ there.

    >>> shorten("encoder.layers.11.attention.output.dense", 20)
    '…ention.output.dense'
    """
    return text if len(text) <= most else "…" + text[1 - most :]
