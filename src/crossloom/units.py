"""Units for people: SI constants to write numbers with, `format_si` to read them, and sizes in bytes."""

import re
from math import floor, isfinite, log2, log10

from crossloom.errors import ConfigError

pS, nS, uS, mS = 1e-12, 1e-9, 1e-6, 1e-3
ns, us, ms = 1e-9, 1e-6, 1e-3
mV, fF, pF = 1e-3, 1e-15, 1e-12

# exact by definition (SI 2019): J/K, C, and the joule of one electronvolt
BOLTZMANN, ELEMENTARY_CHARGE = 1.380649e-23, 1.602176634e-19
eV = ELEMENTARY_CHARGE

_PREFIXES = {-18: "a", -15: "f", -12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T"}


def format_si(value: float, unit: str, digits: int = 4) -> str:
    """Write `value` with an SI prefix.

    >>> format_si(1.916e-05, "S")
    '19.16 µS'
    >>> format_si(0, "V")
    '0 V'
    """
    if value == 0 or not isfinite(value):
        return f"{value:g} {unit}"
    rounded = float(f"{value:.{digits - 1}e}")  # first, so that 0.99999 V is 1 V and not 1000 mV
    exponent = min(max(3 * floor(log10(abs(rounded)) / 3), -18), 12)
    return f"{value / 10**exponent:.{digits}g} {_PREFIXES[exponent]}{unit}"


_BYTES = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_BYTES |= {f"{prefix.upper()}i": 2 ** (10 * power) for power, prefix in enumerate("kMGT", 1)}
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(k|M|G|T|Ki|Mi|Gi|Ti)?B?\s*")


def parse_bytes(size: int | str) -> int:
    """A number of bytes, from itself or from how people write it. ConfigError for what is none.

    >>> parse_bytes("2 GiB"), parse_bytes("1.5 MB"), parse_bytes(4096)
    (2147483648, 1500000, 4096)
    """
    found = _SIZE.fullmatch(size) if isinstance(size, str) else None
    if found:
        number = round(float(found[1]) * _BYTES[found[2] or ""])
    else:
        number = size if isinstance(size, int) and not isinstance(size, bool) else 0
    if number < 1:
        raise ConfigError(f"need a number of bytes above 0, as 2**30 or '1 GiB', got {size!r}")
    return number


def format_bytes(number: float) -> str:
    """Write a number of bytes in units of 1024.

    >>> format_bytes(2**31), format_bytes(1500)
    ('2 GiB', '1.465 KiB')
    """
    power = min(max(int(log2(number)) // 10, 0), 4) if number >= 1 else 0
    return f"{number / 2 ** (10 * power):.4g} {['B', 'KiB', 'MiB', 'GiB', 'TiB'][power]}"
