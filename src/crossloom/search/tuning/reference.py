"""What chips should answer: exact integer products, or what the converters of ideal chips make of them."""

from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch.nn import functional

from crossloom.calibration import TileRange, exact_sums
from crossloom.errors import DataError
from crossloom.hardware import DenseCodes
from crossloom.mapping import MappedGraph, Tile
from crossloom.pipeline import simulate
from crossloom.placement import Placement
from crossloom.programming import DirectSet, ProgrammedChips, program
from crossloom.runtime import run
from crossloom.search.tuning.config import ReferenceKind, TuningConfig
from crossloom.search.tuning.samples import Data, Part, Samples, split


@dataclass(frozen=True)
class Reference:
    """Sums of tiles and outputs of the network to tune towards; `placement` is the one that tuning began with."""

    kind: ReferenceKind
    placement: Placement = field(repr=False)

    def sums(self, mapped: MappedGraph, number: int, codes: DenseCodes) -> torch.Tensor:
        """What the tile of this number of `mapped` should answer, float64 [vector, output], of all input codes.

        Tiles that are cut otherwise than those that tuning began with can only be exact.
        """
        exact = exact_sums(mapped, number, codes)
        tile = mapped.tile(number)
        known = self._tiles.get((tile.layer, tile.block))
        if self.kind == "exact" or known is None:
            return exact
        return TileRange(self.placement.mapped, known, codes).answered(known.integration_time).to(exact)

    def outputs(self, samples: Samples) -> torch.Tensor:
        """The first output of the network."""
        mode = "integer" if self.kind == "exact" else "chip"
        answered = run(self._ideal, samples, mode=mode, probe_samples=0).outputs
        return answered if isinstance(answered, torch.Tensor) else answered[0]

    @cached_property
    def _ideal(self) -> ProgrammedChips:
        backend = simulate(self.placement.system.noiseless())
        return program(self.placement, backend, DirectSet(), settle=0.0)

    @cached_property
    def _tiles(self) -> dict[tuple[str, tuple[int, ...]], Tile]:
        return {(tile.layer, tile.block): tile for tile in self.placement.mapped.tiles}


def make_reference(chips: ProgrammedChips, part: Part, kind: ReferenceKind | None) -> Reference:
    """The reference of this kind; without one that whose network has less cross-entropy.

    Without labels `nominal` where most layers were trained with their converters, else `exact`.
    """
    exact, nominal = (Reference(each, chips.placement) for each in ("exact", "nominal"))
    if kind is not None:
        return nominal if kind == "nominal" else exact
    if part.labels is None:
        layers = chips.placement.mapped.quantized.layers
        knowing = sum(layers[name].knows_converter for name in chips.placement.mapped.schemes)
        return nominal if 2 * knowing > len(chips.placement.mapped.schemes) else exact
    losses = [_loss(reference.outputs(part.samples), part.labels) for reference in (exact, nominal)]
    return nominal if losses[1] < losses[0] else exact


def choose_reference(chips: ProgrammedChips, data: Data, config: TuningConfig) -> Reference:
    """The reference that tuning these chips on these data takes: for chips with other mappings of the same network."""
    tuned, _ = split(chips, data, config.num_samples, config.held_out)
    return make_reference(chips, tuned, config.reference)


def _loss(outputs: torch.Tensor, labels: torch.Tensor) -> float:
    """Cross-entropy of outputs [sample, class]; 0 for what are no classes. DataError for labels of other classes."""
    if outputs.dim() != 2 or len(outputs) != len(labels):
        return 0.0
    lowest, most = int(labels.min()), int(labels.max())
    if lowest < 0 or most >= outputs.shape[1]:
        raise DataError(
            f"labels of {outputs.shape[1]} classes must be 0...{outputs.shape[1] - 1}, got {lowest}...{most}; mend "
            "them, or leave them out"
        )
    return functional.cross_entropy(outputs.float(), labels.to(outputs.device).long()).item()


def share_met(outputs: torch.Tensor, labels: torch.Tensor | None) -> float | None:
    """The share of labels that outputs [sample, class] meet; None where there are none, or no classes."""
    if labels is None or outputs.dim() != 2 or len(outputs) != len(labels):
        return None
    return (outputs.argmax(1) == labels.to(outputs.device)).double().mean().item()
