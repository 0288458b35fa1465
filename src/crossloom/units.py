"""SI units for people: constants to write numbers with, and `format_si` to read them."""

from math import floor, isfinite, log10

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
