"""Mixed precision: bits for every layer, of least harm within a budget of arrays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import torch

from crossloom.artefacts import Artefact, saved
from crossloom.errors import CapacityError, ConfigError, DataError
from crossloom.graph import Graph, Matrix, activate, interpret, multiply, simplify
from crossloom.mapping import MappedGraph, MappingConfig, map_graph
from crossloom.pipeline import as_batches, import_model
from crossloom.placement import Placement, PlacementConfig, place
from crossloom.progress import track
from crossloom.quant import LayerQuantConfig, QuantConfig, QuantizedGraph, quantize
from crossloom.search.tuning.knapsack import Item, choose_items
from crossloom.spec import SystemSpec

if TYPE_CHECKING:
    from pathlib import Path

    from torch.export import ExportedProgram
    from torch.nn import Module

    from crossloom.pipeline import Batches

_STEP, _LEAST = 0.005, 0.5  # shares of the arrays' cells that tiles may fill


@saved
@dataclass(frozen=True)
class PrecisionOption:
    """One layer with so many bits: what it adds to the error of the outputs (NMSE), and the cells that it takes."""

    weight_bits: int
    harm: float
    cells: int


@saved
@dataclass(frozen=True)
class PrecisionChoice(Artefact):
    """Bits for every layer.

    quant: what `compile` takes.  chosen: the option of every layer.  options: all that there were.
    arrays: macros that a placement takes, of the `budget`.
    """

    quant: QuantConfig
    chosen: Mapping[str, PrecisionOption]
    options: Mapping[str, tuple[PrecisionOption, ...]] = field(repr=False)
    arrays: int
    budget: int

    def summary(self) -> str:
        """A line for every layer."""
        lines = [f"PrecisionChoice: {self.arrays} of {self.budget} arrays"]
        lines += [
            f"  {name}: {option.weight_bits} bits, {option.cells:,} cells, adds {option.harm:.2g} to the outputs' error"
            for name, option in self.chosen.items()
        ]
        return "\n".join(lines)


def choose_precision(
    model: "Module | ExportedProgram | Graph | str | Path",
    system: SystemSpec,
    data: "Batches",
    arrays: int,
    *,
    bits: Sequence[int] = (1, 2, 3, 4, 5, 6, 8),
    quant: QuantConfig | None = None,
    mapping: MappingConfig | None = None,
) -> PrecisionChoice:
    """Weight bits for every layer, so that the network takes at most `arrays` macros and loses least.

    What a layer loses is measured: the error of the network's outputs when its weights alone have so many bits, all
    else in floating point. These errors count as adding up, and an integer program takes the options of least sum
    within the arrays' cells (Hubara et al. 2021, "Accurate Post Training Quantization With Small Calibration Sets",
    section 4); the choice is then placed, and made again for fewer cells until the placement keeps to the budget.

    data: calibration batches, as for `compile`.  quant: the other choices; single layers that it names stay so.

    Raises ConfigError for bits that no layer can have here, CapacityError when even the fewest bits do not fit, with
    the arrays that they take, DataError as `compile` does, MissingDependencyError without scipy.
    """
    _check(arrays, bits)
    batches = as_batches(data)
    graph = simplify(import_model(model, batches[0]))
    quant, mapping = quant or QuantConfig(), mapping or MappingConfig()
    free = [node.name for node in graph.matrices if node.name not in quant.layers]
    work = _Work(graph, system, batches, quant, mapping, arrays)
    options = work.measure(tuple(sorted(set(bits))), free)
    return work.choose(options)


def _check(arrays: int, bits: Sequence[int]) -> None:
    if isinstance(arrays, bool) or not isinstance(arrays, int) or arrays < 1:
        raise ConfigError(f"arrays: need a whole number of macros, at least 1, got {arrays!r}")
    if not bits:
        raise ConfigError("bits: need at least one number of bits to choose from, got none")
    for number in bits:
        LayerQuantConfig(weight_bits=number)


@dataclass(frozen=True)
class _Work:
    graph: Graph
    system: SystemSpec
    batches: Sequence[tuple[torch.Tensor, ...]]
    quant: QuantConfig
    mapping: MappingConfig
    arrays: int
    quantized: dict[int, QuantizedGraph] = field(default_factory=dict)

    def measure(self, bits: Sequence[int], free: Sequence[str]) -> dict[str, tuple[PrecisionOption, ...]]:
        """Every layer's options."""
        wanted = [_outputs(self.graph, batch, {}) for batch in self.batches]
        found: dict[str, list[PrecisionOption]] = {name: [] for name in free}
        refused = []
        for number in bits:
            quantized = self._quantize(dict.fromkeys(free, number))
            try:
                mapped = map_graph(quantized, self.mapping, self.system.macro)
            except ConfigError as error:
                refused.append(f"{number}: {error}")
                continue
            self.quantized[number] = quantized
            for name in track(free, f"measuring {number} bits", len(free)):
                harm = self._harm(quantized, name, wanted)
                found[name].append(PrecisionOption(number, harm, _cells(mapped, name)))
        if not any(found.values()):
            raise ConfigError(f"bits: none of {list(bits)} can be mapped here; {'; '.join(refused)}")
        return {name: tuple(options) for name, options in found.items()}

    def choose(self, options: Mapping[str, tuple[PrecisionOption, ...]]) -> PrecisionChoice:
        """The options of least harm that a placement has room for."""
        macro = self.system.macro.crossbar
        room = self.arrays * macro.num_rows * macro.num_columns
        groups = {name: [Item(item.harm, item.cells) for item in items] for name, items in options.items()}
        share = 1.0
        while share > _LEAST:
            try:
                numbers = choose_items(groups, share * room)
            except CapacityError:
                break
            chosen = {name: options[name][number] for name, number in numbers.items()}
            used = _used(self._place({name: item.weight_bits for name, item in chosen.items()}))
            if used <= self.arrays:
                return PrecisionChoice(self._config(chosen), chosen, options, used, self.arrays)
            share = min(share - _STEP, sum(item.cells for item in chosen.values()) / room - 1e-9)
        fewest = {
            name: min(items, key=lambda item: (item.cells, item.harm)) for name, items in options.items()
        }
        used = _used(self._place({name: item.weight_bits for name, item in fewest.items()}))
        if used <= self.arrays:
            return PrecisionChoice(self._config(fewest), fewest, options, used, self.arrays)
        raise CapacityError(
            f"arrays: with the fewest bits the network takes {used} macros, got {self.arrays}; allow {used}, or name "
            "layers as digital"
        )

    def _quantize(self, bits: Mapping[str, int]) -> QuantizedGraph:
        layers = {name: LayerQuantConfig(weight_bits=number) for name, number in bits.items()}
        config = self.quant.replace(layers={**self.quant.layers, **layers})
        return quantize(self.graph, config, self.batches, precision=self.system.precision)

    def _place(self, bits: Mapping[str, int]) -> Placement:
        """The network with these bits on as many chips as it takes: every layer as it was quantised already."""
        some = next(iter(self.quantized.values()))
        layers = {name: self.quantized[number].layers[name] for name, number in bits.items()}
        quantized = replace(some, layers={**some.layers, **layers})
        mapped = map_graph(quantized, self.mapping, self.system.macro)
        roomy = self.system.replace(num_chips=max(self.system.num_chips, len(mapped.tiles)))
        return place(mapped, PlacementConfig(), roomy)

    def _config(self, chosen: Mapping[str, PrecisionOption]) -> QuantConfig:
        layers = {name: LayerQuantConfig(weight_bits=item.weight_bits) for name, item in chosen.items()}
        return self.quant.replace(layers={**self.quant.layers, **layers})

    def _harm(
        self, quantized: QuantizedGraph, name: str, wanted: Sequence[tuple[torch.Tensor, ...]]
    ) -> float:
        """The error of the outputs with this layer's weights quantised, as a share of their power."""
        layer = quantized.layers[name]
        step = layer.weight_step.view(-1, *[1] * (layer.weight.dim() - 1))
        weight = (layer.weight * step).float()
        error, power = 0.0, 0.0
        for batch, outputs in zip(self.batches, wanted, strict=True):
            for given, true in zip(_outputs(quantized.graph, batch, {name: weight}), outputs, strict=True):
                error += (given - true).double().square().sum().item()
                power += true.double().square().sum().item()
        if power == 0:
            raise DataError(
                "the network's outputs are all zero on these data, which says nothing; give others"
            )
        return error / power


def _outputs(
    graph: Graph, batch: tuple[torch.Tensor, ...], weights: Mapping[str, torch.Tensor]
) -> tuple[torch.Tensor, ...]:
    """The network's outputs of floating-point numbers, with these weights in place of its own."""

    def run(node: Matrix, values: torch.Tensor) -> torch.Tensor:
        weight = weights.get(node.name, graph.tensors[node.weight]).detach()
        bias = None if node.bias is None else graph.tensors[node.bias].detach()
        return activate(node, multiply(node, values, weight.to(values), bias))

    with torch.no_grad():
        outputs = interpret(graph, batch, matrix=run)
    return tuple(value for value in outputs if value.is_floating_point())


def _cells(mapped: MappedGraph, name: str) -> int:
    return sum(mapped.tiles[number].num_cells for number in mapped.tiles_of.get(name, ()))


def _used(placement: Placement) -> int:
    return len({site.address for site in placement.sites})
