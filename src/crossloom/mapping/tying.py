"""Which layers share their cells: those that multiply by one stored tensor, quantised alike."""

from collections.abc import Mapping

import torch

from crossloom.graph import Matrix
from crossloom.mapping.config import MappingConfig
from crossloom.mapping.scheme import Scheme
from crossloom.quant import QuantizedLayer


def tied_layers(
    matrices: Mapping[str, Matrix],
    layers: Mapping[str, QuantizedLayer],
    schemes: Mapping[str, Scheme],
    config: MappingConfig,
) -> dict[str, str]:
    """The layers that use another's tiles, and whose.

    The first layer that multiplies by a tensor holds it. Later ones use its tiles when integers, scheme and what was
    chosen are the same, and inputs come in the same codes; each keeps its own input step and bias.
    """
    tied: dict[str, str] = {}
    holders: dict[str, list[str]] = {}
    for name in schemes if config.share_tied else ():
        holding = holders.setdefault(matrices[name].weight, [])
        found = next(
            (held for held in holding if _is_alike(name, held, matrices, layers, schemes, config)), None
        )
        if found is None:
            holding.append(name)
        else:
            tied[name] = found
    return tied


def _is_alike(
    name: str,
    held: str,
    matrices: Mapping[str, Matrix],
    layers: Mapping[str, QuantizedLayer],
    schemes: Mapping[str, Scheme],
    config: MappingConfig,
) -> bool:
    ours, theirs = layers[name], layers[held]
    return (
        _cut(matrices[name]) == _cut(matrices[held])
        and schemes[name] == schemes[held]
        and config.for_layer(name) == config.for_layer(held)
        and (ours.input_bits, ours.input_is_signed) == (theirs.input_bits, theirs.input_is_signed)
        and torch.equal(ours.weight, theirs.weight)
    )


def _cut(node: Matrix) -> tuple[int, int]:
    """What of a node decides how its matrix is cut."""
    return node.groups, node.window.size if node.window else 1
