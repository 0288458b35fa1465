"""Samples on their way through chips, with a stop at every layer: each once, with what the layers before gave."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace

import torch

from crossloom.graph import Interpreter, Matrix, Recurrence, activate, at_once
from crossloom.hardware import Codes, Draw
from crossloom.programming import LayerCorrection, ProgrammedChips
from crossloom.quant import integer_matrix
from crossloom.runtime import LayerOnChips, SampleLayout, sample_layouts


@dataclass(frozen=True)
class Arrival:
    """A layer that samples have come to: its input `values`, and what its chips would answer.

    Where a state meets the layer, `values` [step, batch, in] are those of all steps.
    """

    chips: ProgrammedChips = field(repr=False)
    node: Matrix
    values: torch.Tensor = field(repr=False)
    layout: SampleLayout | None
    num_samples: int
    draw: Draw

    @property
    def codes(self) -> Codes:
        """The layer's input, quantised, sample by sample."""
        layer = self._on_chips(LayerCorrection())
        return layer.codes(self.values, layer.order(self.values, self.layout, self.num_samples))

    def answer(self, correction: LayerCorrection) -> torch.Tensor:
        """The layer's values before its activation, as its chips give them with this correction."""
        layer = self._on_chips(correction)
        order = layer.order(self.values, self.layout, self.num_samples)
        sums, _ = layer.sums(layer.codes(self.values, order), self.draw)
        axis = -1 if self.node.window is None else 1
        return layer.layer.dequantize(layer.shaped(sums, self.values, order), axis=axis)

    @property
    def bias(self) -> torch.Tensor:
        """The layer's own bias, as it lies along its values; zero where it has none."""
        found = self.chips.placement.mapped.quantized.layers[self.node.name].bias
        if found is None:
            return torch.zeros(1)
        return found.view(-1, *[1] * (0 if self.node.window is None else self.node.window.num_axes))

    def _on_chips(self, correction: LayerCorrection) -> LayerOnChips:
        return LayerOnChips(self.chips.placement, self.node, self.chips.backend, correction)


def propagate(
    chips: ProgrammedChips,
    samples: tuple[torch.Tensor, ...],
    layers: Collection[str],
    visit: Callable[[Arrival], torch.Tensor],
    seed: int,
) -> tuple[torch.Tensor, ...]:
    """Send samples through the network once: its outputs.

    `visit` sees what arrives at each of `layers`, in order, and gives the values before its activation that the samples
    go on with. All other layers are computed exactly. Read noise is that of run `seed`. A layer that states meet sees
    the states of all steps at once, as exact products of its own lead to them.
    """
    quantized, draw, num_samples = chips.placement.mapped.quantized, Draw(seed), len(samples[0])
    layouts, digital = sample_layouts(quantized.graph), integer_matrix(quantized)
    recurrences = (node for node in quantized.graph.nodes if isinstance(node, Recurrence))
    recurrent = {matrix.name for node in recurrences for matrix in node.products}

    def run(node: Matrix, values: torch.Tensor) -> torch.Tensor:
        if node.name not in layers:
            return digital(node, values)
        layout = layouts.get(node.source)
        if node.name in recurrent and layout is not None:
            layout = replace(layout, axis=layout.axis + 1)
        arrival = Arrival(chips, node, values, layout, num_samples, draw)
        return activate(node, visit(arrival)).to(values.dtype)

    with torch.no_grad():
        return Interpreter(quantized.graph, run, at_once(digital))(samples)
