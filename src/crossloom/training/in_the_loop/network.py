"""The network in the loop: what stays is measured once, what is trained runs on the chips at every step."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn

from crossloom.graph import Interpreter, Matrix
from crossloom.hardware import Draw
from crossloom.programming import LayerCorrection, ProgrammedChips
from crossloom.progress import track
from crossloom.quant import finish, integer_sums
from crossloom.runtime import Draws, LayerOnChips, sample_layouts
from crossloom.training.in_the_loop.layer import LoopLayer
from crossloom.training.in_the_loop.tail import Tail, cut_tail

_BATCH = 64


@dataclass(frozen=True)
class Part:
    """Which layers of a network are trained how, and which are in cells already.

    cells: whose weights are trained.  digital: whose scales and biases are.  on_chips: those that run on the chips.
    """

    cells: tuple[str, ...]
    digital: tuple[str, ...]
    on_chips: frozenset[str]

    @property
    def trained(self) -> frozenset[str]:
        return frozenset((*self.cells, *self.digital))


class LoopNetwork(nn.Module):
    """The graph of a placement, with the layers of `part` trained. `num_mvms` counts what the chips multiply.

    layers: those that are trained, by name.  behind: those that stay, and that gradients pass on their way to trained
    ones; until it is read back, their model is that of their integers.
    """

    def __init__(
        self, chips: ProgrammedChips, part: Part, layers: Mapping[str, LoopLayer] | None = None
    ) -> None:
        super().__init__()
        mapped = chips.placement.mapped
        self._quantized, self._part, self.num_mvms = mapped.quantized, part, 0
        self._graph = mapped.quantized.graph
        nodes = {node.name: node for node in self._graph.matrices}
        found = corrections_of(chips)
        self.tail: Tail = cut_tail(self._graph, part.trained)
        loop_layers = {
            name: (layers or {}).get(name)
            or LoopLayer(
                node,
                mapped.quantized.layers[name],
                found.get(name, LayerCorrection()),
                name in part.cells,
                name in part.digital,
            )
            for name, node in nodes.items()
            if name in self.tail.changing
        }
        self.layers = {name: layer for name, layer in loop_layers.items() if name in part.trained}
        self.behind = {name: layer for name, layer in loop_layers.items() if name not in part.trained}
        self.trained = nn.ModuleList(self.layers.values())
        self._on_chips = {
            name: LayerOnChips(chips.placement, node, chips.backend, found.get(name))
            for name, node in nodes.items()
            if name in part.on_chips
        }
        self._interpreter = Interpreter(self.tail.graph, self._matrix)
        self._layouts = sample_layouts(self._graph)
        self._draws, self._num_samples = Draws(mapped.tied), 1

    def measure(self, inputs: torch.Tensor, seed: int) -> tuple[torch.Tensor, ...]:
        """Everything that comes before the trained layers, as the chips give it, for all samples."""
        names = self.tail.frontier
        if names == tuple(node.name for node in self._graph.inputs):
            return (inputs,)
        order = [node.name for node in self._graph.nodes]
        last = max(names, key=order.index)
        whole = Interpreter(self._graph, self._matrix)
        parts: dict[str, list[torch.Tensor]] = {name: [] for name in names}

        def keep(node: object, value: torch.Tensor) -> None:
            name = node.name  # type: ignore[attr-defined]
            if name in parts:
                parts[name].append(value)

        starts = range(0, len(inputs), _BATCH)
        with torch.no_grad():
            for start in track(starts, "measuring on the chips", len(starts)):
                piece = inputs[start : start + _BATCH]
                self._draws.begin(Draw(seed, start))
                self._num_samples = len(piece)
                whole((piece,), stop_at=last, observe=keep)
        return tuple(torch.cat(parts[name]) for name in names)

    def forward(self, measured: tuple[torch.Tensor, ...], draw: Draw) -> torch.Tensor:
        """Scores [sample, class] of samples of what `measure` gave."""
        self._draws.begin(draw)
        self._num_samples = len(measured[0])
        return self._interpreter(measured)[0]

    def first_not_finite(self, measured: tuple[torch.Tensor, ...], draw: Draw) -> str | None:
        """The first node that gives NaN or infinity."""
        found: list[str] = []

        def look(node: object, value: torch.Tensor) -> None:
            if not torch.isfinite(value).all():
                found.append(node.name)  # type: ignore[attr-defined]

        self._draws.begin(draw)
        self._num_samples = len(measured[0])
        with torch.no_grad():
            self._interpreter(measured, observe=look)
        return found[0] if found else None

    def _matrix(self, node: Matrix, values: torch.Tensor) -> torch.Tensor:
        layer, is_on_chips = self.layers.get(node.name), node.name in self._on_chips
        if layer is not None:
            return layer(values, self._sums(node, values.detach()) if is_on_chips else None)
        sums, behind = self._sums(node, values.detach()), self.behind.get(node.name)
        if behind is not None and values.requires_grad:
            return behind(values, sums).to(values.dtype)
        stays = self._on_chips[node.name].layer if is_on_chips else self._quantized.layers[node.name]
        return finish(node, stays, sums).to(values.dtype)

    @torch.no_grad()
    def _sums(self, node: Matrix, values: torch.Tensor) -> torch.Tensor:
        """What the chips answer, or exact integers of a layer in no cells, in the layout of the node's output."""
        if node.name not in self._on_chips:
            integers = self._quantized.layers[node.name]
            return integer_sums(node, integers, integers.quantize_input(values))
        layer = self._on_chips[node.name]
        order = layer.order(values, self._layouts.get(node.source), self._num_samples)
        codes = layer.codes(values, order)
        self.num_mvms += layer.count(codes, self._num_samples).num_mvms
        return layer.shaped(layer.sums(codes, self._draws.next(node.name))[0], values, order)


def corrections_of(chips: ProgrammedChips) -> Mapping[str, LayerCorrection]:
    """By layer; empty where nothing was calibrated."""
    return {} if chips.corrections is None else chips.corrections.layers
