"""From weights that are due to cells that are written."""

from collections.abc import Mapping
from dataclasses import replace

import torch

from crossloom.errors import ConfigError
from crossloom.mapping import DifferentialPair, MappedGraph, Scheme
from crossloom.placement import Placement
from crossloom.programming import check_lasting


def check_own_cells(placement: Placement) -> None:
    """ConfigError when layers share cells, or lie in several places: weights are trained layer by layer."""
    check_lasting(placement, "training in the loop")
    for name in placement.replicas:
        raise ConfigError(
            f"layer {name} has replicas, and training in the loop writes each layer's weights once; place without "
            "replicas"
        )
    for name, owner in placement.mapped.tied.items():
        raise ConfigError(
            f"layers {owner} and {name} share cells, and training in the loop writes each layer's own; "
            "compile with MappingConfig(share_tied=False)"
        )


def with_integers(placement: Placement, integers: Mapping[str, torch.Tensor]) -> Placement:
    """The same tiles in the same places, with these integers (int16 [out, ...]) by layer."""
    return placement.with_mapped(_with_weights(placement.mapped, integers))


def cells_again(
    placement: Placement,
    due: Mapping[str, torch.Tensor],
    cells: Mapping[int, torch.Tensor],
    hysteresis: float,
) -> dict[int, torch.Tensor]:
    """Cells (bool, [row, column], by tile) of weights that are `due` (bool [out, ...], by layer), and that lie so far
    from their targets that writing them to the same target once more is worth it.

    cells: what was read of them, S.  A cell counts as far off from hysteresis / sqrt(2) times the root mean square of
    the layer's: of a pair that is together off by what makes a weight due, at least one is.
    """
    masks = _with_weights(placement.mapped, {name: mask.to(torch.int16) for name, mask in due.items()})
    chosen: dict[int, torch.Tensor] = {}
    for name in due:
        numbers = placement.mapped.tiles_of[name]
        errors = {
            number: (cells[number] - placement.mapped.targets(placement.mapped.tiles[number])).abs()
            for number in numbers
        }
        power = torch.cat([error.flatten() for error in errors.values()]).square().mean()
        usual = hysteresis * (power / 2).sqrt()
        for number in numbers:
            weights = masks.weight(masks.tiles[number]) > 0
            chosen[number] = _cells_of(placement.mapped.schemes[name], weights) & (errors[number] > usual)
    return chosen


def _cells_of(scheme: Scheme, weights: torch.Tensor) -> torch.Tensor:
    """The cells (bool, [row, column]) of weights (bool, [input, output])."""
    pair = 2 if isinstance(scheme.encoding, DifferentialPair) else 1
    planes = len(scheme.cut(torch.zeros(0, dtype=torch.int32)).coefficients)
    levels = weights.expand(pair, planes, *weights.shape)
    return scheme.lay(levels, torch.zeros(len(weights), 1, dtype=torch.bool))


def _with_weights(mapped: MappedGraph, weights: Mapping[str, torch.Tensor]) -> MappedGraph:
    layers = dict(mapped.quantized.layers)
    for name, weight in weights.items():
        layers[name] = replace(layers[name], weight=weight)
    return replace(mapped, quantized=replace(mapped.quantized, layers=layers))
