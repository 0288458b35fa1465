"""The mappings that a layer may have, and how good each is on simulated nominal chips."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from statistics import median

import torch

from crossloom.calibration import Arrival, propagate
from crossloom.errors import ConfigError
from crossloom.graph import Matrix
from crossloom.hardware import InputFormat
from crossloom.mapping import (
    LayerMappingConfig,
    MappedGraph,
    MappingConfig,
    legal_integration_time,
    map_graph,
    vectors_per_sample,
)
from crossloom.pipeline import simulate
from crossloom.placement import Placement, PlacementConfig, place
from crossloom.programming import DirectSet, LayerCorrection, ProgrammedChips, program
from crossloom.progress import track
from crossloom.registry import did_you_mean
from crossloom.search.tuning.config import TwoStages
from crossloom.search.tuning.layer import Vectors, choose_settings, draw_pair
from crossloom.search.tuning.reference import Reference
from crossloom.seeds import derive_seed
from crossloom.spec import InputMode, SystemSpec


@dataclass(frozen=True)
class Option:
    """How a layer may lie on the chips."""

    copies: int
    row_copies: int
    mode: InputMode

    def __str__(self) -> str:
        return f"{self.copies} copies of tiles, {self.row_copies} of rows, {self.mode.kind}"

    def applied(self, config: LayerMappingConfig) -> LayerMappingConfig:
        """These choices in place of a layer's own; all others stay, and its times are left to data."""
        kept = {name: getattr(config, name) for name in LayerMappingConfig.model_fields}
        mine = {"copies": self.copies, "row_copies": self.row_copies, "input_mode": self.mode}
        return LayerMappingConfig(**{**kept, **mine, "integration_time": None})


@dataclass(frozen=True)
class Measured:
    """One layer with one option: its error (NMSE), its cells, its input cycles per sample, the time of each block."""

    error: float
    num_cells: int
    num_cycles: int
    times: Mapping[tuple[int, ...], float] = field(repr=False)


def options_of(placement: Placement, config: TwoStages) -> list[Option]:
    """All that are to be tried. ConfigError for input modes that the drivers cannot do."""
    known = {mode.kind: mode for mode in placement.system.macro.input_modes}
    kinds = list(known) if config.modes is None else config.modes
    for kind in kinds:
        if kind not in known:
            raise ConfigError(
                f"modes: {placement.system.name} has no {kind!r}; {did_you_mean(kind, list(known))}"
            )
    return [Option(*parts) for parts in product(config.copies, config.row_copies, map(known.get, kinds))]  # type: ignore[arg-type]


def with_options(mapped: MappedGraph, chosen: Mapping[str, Option]) -> MappedGraph:
    """The same graph mapped with an option for every layer; see `_carried` for its times."""
    layers = {name: option.applied(mapped.config.for_layer(name)) for name, option in chosen.items()}
    config = MappingConfig(layers=layers, digital=mapped.config.digital)
    found = map_graph(mapped.quantized, config, mapped.macro)
    return found.with_integration_times(_carried(mapped, found))


def _carried(before: MappedGraph, after: MappedGraph) -> dict[int, float]:
    """Times of tiles that have the same inputs as before: codes stand for the same sums. Others are as mapped."""
    known = {(tile.layer, tile.block): tile.integration_time for tile in before.tiles}
    times = {}
    for number, tile in enumerate(after.tiles):
        old, new = before.schemes[tile.layer], after.schemes[tile.layer]
        time = known.get((tile.layer, tile.block))
        if time is not None and old.input_mode == new.input_mode:
            times[number] = legal_integration_time(time * old.row_copies / new.row_copies, after.macro)
    return times


def meet_layers(
    chips: ProgrammedChips, samples: tuple[torch.Tensor, ...], config: TwoStages
) -> dict[str, Vectors]:
    """Input vectors of every layer, as these chips give them to each other."""
    found: dict[str, Vectors] = {}

    def visit(arrival: Arrival) -> torch.Tensor:
        found[arrival.node.name] = draw_pair(arrival, config.num_vectors, config.layers.seed)
        return arrival.answer(LayerCorrection())

    propagate(chips, samples, chips.placement.mapped.schemes, visit, config.layers.seed)
    return found


def measure_options(
    placement: Placement,
    options: Sequence[Option],
    vectors: Mapping[str, Vectors],
    reference: Reference,
    config: TwoStages,
) -> tuple[Mapping[str, list[Measured]], int]:
    """Every layer with every option on simulated chips of the placement's own system: as many chips as it takes.

    Also the MVMs of tiles that it took.
    """
    found: dict[str, list[Measured]] = {name: [] for name in vectors}
    num_mvms = 0
    for option in track(options, "simulating mappings", len(options)):
        mapped = with_options(placement.mapped, dict.fromkeys(vectors, option))
        sets = [_simulated(mapped, placement.system, config, draw) for draw in range(config.num_draws)]
        for node in mapped.quantized.graph.matrices:
            if node.name in vectors:
                measured, number = _measure(sets, node, vectors[node.name], reference, config)
                found[node.name].append(measured)
                num_mvms += number
    return found, num_mvms


def _simulated(mapped: MappedGraph, system: SystemSpec, config: TwoStages, draw: int) -> ProgrammedChips:
    needed = -(-len(mapped.tiles) // system.macros_per_chip)
    large = system.replace(num_chips=max(needed, system.num_chips))
    placed = place(mapped, PlacementConfig(effort=0), large)
    return program(placed, simulate(large, derive_seed(config.layers.seed, "stage 1", draw)), DirectSet())


def _measure(
    sets: Sequence[ProgrammedChips], node: Matrix, vectors: Vectors, reference: Reference, config: TwoStages
) -> tuple[Measured, int]:
    mapped = sets[0].placement.mapped
    tiles = [(number, mapped.tiles[number]) for number in mapped.tiles_of[node.name]]
    layers, errors, num_mvms = config.layers, [], 0
    times: dict[tuple[int, ...], list[float]] = {tile.block: [] for _, tile in tiles}
    for chips in sets:
        choice = choose_settings(
            chips,
            node,
            vectors,
            LayerCorrection(),
            layers.knobs,
            layers.read_voltages,
            reference,
            layers.seed,
        )
        errors.append(choice.errors[-1])
        num_mvms += choice.num_mvms
        for number, tile in tiles:
            own = choice.corrections[-1].of(number).integration_time
            times[tile.block].append(own or tile.integration_time)
    cycles = _cycles(mapped, node)
    num_cells = sum(tile.num_cells for _, tile in tiles)
    middle = {block: median(found) for block, found in times.items()}
    return Measured(sum(errors) / len(errors), num_cells, cycles, middle), num_mvms


def _cycles(mapped: MappedGraph, node: Matrix) -> int:
    layer, scheme = mapped.quantized.layers[node.name], mapped.schemes[node.name]
    inputs = InputFormat(scheme.input_mode, layer.input_bits, layer.input_is_signed)
    return inputs.num_cycles(mapped.macro.dac) * vectors_per_sample(mapped.quantized.graph)[node.name]
