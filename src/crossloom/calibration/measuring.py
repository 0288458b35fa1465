"""The chips' MVMs on chosen vectors, beside the exact integer sums of the same vectors."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch

from crossloom.graph import Matrix
from crossloom.hardware import DenseCodes, Draw
from crossloom.mapping import MappedGraph
from crossloom.programming import LayerCorrection, ProgrammedChips
from crossloom.runtime import LayerOnChips, TilePart, sweep

Wanted = Callable[[MappedGraph, int, DenseCodes], torch.Tensor]


@dataclass(frozen=True)
class LayerSums:
    """What a layer's tiles answered to some vectors, and what they should have.

    exact: of every tile, float64 [vector, output].  whole: of the layer, float64 [vector, out].  steps: of the
    layer's outputs, [out].
    """

    layer: LayerOnChips = field(repr=False)
    parts: Sequence[TilePart] = field(repr=False)
    exact: Sequence[torch.Tensor] = field(repr=False)
    whole: torch.Tensor = field(repr=False)
    steps: torch.Tensor = field(repr=False)

    def error(self, correction: LayerCorrection) -> float:
        """Square error of the layer's corrected values over the square of the exact ones, bias left out (NMSE)."""
        answered = self.corrected(correction) * self.steps
        wanted = self.whole * self.steps
        power = wanted.square().sum().item()
        return (answered - wanted).square().sum().item() / power if power else 0.0

    def corrected(self, correction: LayerCorrection) -> torch.Tensor:
        """The layer's sums with a correction, float64 [vector, out]: what a run would make of these readings."""
        sums = self.layer.assemble(self.parts, correction).double()
        return sums if correction.scale is None else sums * correction.scale.to(sums.device)

    @property
    def is_exact(self) -> bool:
        """Whether the chips answered just as they should."""
        return torch.equal(self.corrected(LayerCorrection()), self.whole)


def measure_layer(
    chips: ProgrammedChips, node: Matrix, correction: LayerCorrection, codes: DenseCodes, draw: Draw
) -> LayerSums:
    """Run the layer's tiles on `codes`, at the integration times of `correction`."""
    return measure_settings(chips, node, [correction], codes, draw)[0]


def measure_settings(
    chips: ProgrammedChips,
    node: Matrix,
    corrections: Sequence[LayerCorrection],
    codes: DenseCodes,
    draw: Draw,
    wanted: Wanted | None = None,
) -> list[LayerSums]:
    """The same for several corrections at once, each group of tiles in one call to the chips.

    wanted: what a tile should answer to the codes, float64 [vector, output]; None for the exact product.
    """
    mapped, wanted = chips.placement.mapped, wanted or exact_sums
    layer = mapped.quantized.layers[node.name]
    settings = LayerOnChips(chips.placement, node, chips.backend).with_settings(corrections)
    with torch.no_grad():
        answers = sweep(settings, codes, draw)
        exact = {part.number: wanted(mapped, part.number, codes) for part in answers[0]}
    whole = codes.values.new_zeros(codes.num_vectors, len(layer.weight), dtype=torch.float64)
    for number, sums in exact.items():
        tile = mapped.tile(number)
        if tile.copy == 0 and number < len(mapped.tiles):
            whole[:, tile.output_start : tile.output_stop] += sums
    steps = layer.weight_step.to(whole)
    return [
        LayerSums(setting, parts, [exact[part.number] for part in parts], whole, steps)
        for setting, parts in zip(settings, answers, strict=True)
    ]


def exact_sums(mapped: MappedGraph, number: int, codes: DenseCodes) -> torch.Tensor:
    """The exact integer product of the codes with the tile of this number."""
    tile = mapped.tile(number)
    values = codes.part(tile.input_start, tile.input_stop)
    assert isinstance(values, DenseCodes)
    return values.values.double() @ mapped.weight(tile).to(values.values.device).double()
