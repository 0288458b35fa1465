"""The fit that ships with Synaptogen, from its own file."""

import json
from functools import cache
from importlib.resources import files

from crossloom.spec import SynaptogenFit

_ORDER = 10
_FEATURES = 4


@cache
def published_fit() -> SynaptogenFit:
    """The fit to measured cycles of 512 devices (Hennen et al., doi 10.1109/TED.2024.3427616), order 10."""
    text = files("crossloom.devices.synaptogen").joinpath("published/default_params.json").read_text("utf-8")
    numbers = json.loads(text)
    blocks = [_columns(numbers[f"VAR_{_ORDER:03}"], lag, _FEATURES) for lag in range(_ORDER + 1)]
    count, width = len(numbers["wk"]), 2 * _FEATURES
    return SynaptogenFit.parse(
        {
            "conducting": numbers["LLRS"],
            "insulating": numbers["HHRS"],
            "read_voltage": numbers["U₀"],
            "full_reset_voltage": numbers["Umax"],
            "reset_exponent": numbers["η"],
            "innovation": blocks[0],
            "regression": blocks[1:],
            "quantiles": numbers["γ"],
            "shares": numbers["wk"],
            "means": list(zip(*numbers["μDtD"], strict=True)),
            "roots": [_columns(numbers["LDtD"], component, width) for component in range(count)],
        }
    )


def _columns(matrix: list[list[float]], number: int, width: int) -> list[list[float]]:
    """Block `number` of the blocks of `width` columns that stand side by side in `matrix`."""
    return [row[number * width : (number + 1) * width] for row in matrix]
