"""One colour for every layer, the same in every picture."""

from colorsys import hls_to_rgb

_FEW = (
    "#3b6fd4",
    "#e0862f",
    "#3a9d5d",
    "#c8485a",
    "#8a63c9",
    "#1fa3b5",
    "#b8922a",
    "#d66ba0",
    "#6b8f2f",
    "#5d6f86",
)
_LIGHTNESSES = (0.44, 0.60, 0.52)
_FIRST_HUE, _LAST_HUE = 0.62, -0.20


def layer_colors(num_layers: int) -> list[str]:
    """Colours for layers in their order: distinct ones for a few, a walk through the hues for many.

    >>> len(set(layer_colors(60)))
    60
    """
    if num_layers <= len(_FEW):
        return list(_FEW[:num_layers])
    return [_walk(number, num_layers) for number in range(num_layers)]


def _walk(number: int, num_layers: int) -> str:
    hue = _FIRST_HUE + (_LAST_HUE - _FIRST_HUE) * number / (num_layers - 1)
    return _hex(hls_to_rgb(hue % 1.0, _LIGHTNESSES[number % len(_LIGHTNESSES)], 0.58))


def level_colors(num_levels: int) -> list[str]:
    """Colours for levels of conductance, from low to high."""
    steps = max(num_levels - 1, 1)
    return [_hex(hls_to_rgb(0.68 - 0.60 * number / steps, 0.48, 0.62)) for number in range(num_levels)]


def _hex(parts: tuple[float, float, float]) -> str:
    return "#" + "".join(f"{round(255 * part):02x}" for part in parts)
