"""Stage 1 of two: how every layer lies on the chips, found in a simulator of nominal ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from crossloom.errors import CapacityError
from crossloom.mapping import MappedGraph
from crossloom.pipeline import simulate
from crossloom.placement import Placement, place
from crossloom.programming import DirectSet, ProgrammedChips, program
from crossloom.search.tuning.config import TwoStages
from crossloom.search.tuning.knapsack import Item, choose_items
from crossloom.search.tuning.options import (
    Measured,
    Option,
    measure_options,
    meet_layers,
    options_of,
    with_options,
)
from crossloom.search.tuning.reference import Reference
from crossloom.search.tuning.samples import Part
from crossloom.search.tuning.scoring import mvms_per_sample
from crossloom.search.tuning.sensitivity import hurts
from crossloom.seeds import derive_seed

_LESS = 0.95


@dataclass(frozen=True)
class MappingChoice:
    """A placement with its copies, modes and first times; what was chosen for each layer, and what that took."""

    placement: Placement
    options: Mapping[str, Option] = field(repr=False)
    errors: Mapping[str, float] = field(repr=False)
    num_mvms: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Layer:
    """One layer's options as the knapsack sees them, in terms of the whole."""

    hurt: float
    measured: Sequence[Measured]


def choose_mapping(
    placement: Placement, tuned: Part, reference: Reference, config: TwoStages
) -> MappingChoice:
    """The mapping of least harm that the placement's system has room for."""
    ideal = program(placement, simulate(placement.system.noiseless()), DirectSet(), settle=0.0)
    options = options_of(placement, config)
    vectors = meet_layers(ideal, tuned.samples, config)
    found, num_mvms = measure_options(placement, options, vectors, reference, config)
    noisy = _noisy(placement, config)
    hurt = hurts(ideal, noisy, tuned.samples, config.layers.seed)
    passes = (
        len(vectors) + 3
    )  # all layers met, the clean outputs, each layer disturbed: by an answer of its own
    num_mvms += sum(mvms_per_sample(ideal).values()) * passes * len(tuned)
    layers = {name: _Layer(hurt[name], measured) for name, measured in found.items()}
    mapped, placed, chosen, notes = _place(placement, options, layers, config)
    errors = {name: found[name][number].error for name, number in chosen.items()}
    times = {
        number: found[tile.layer][chosen[tile.layer]].times[tile.block]
        for number, tile in enumerate(mapped.tiles)
        if tile.layer in chosen
    }
    placed = placed.with_mapped(mapped.with_integration_times(times))
    picked = {name: options[number] for name, number in chosen.items()}
    return MappingChoice(placed, picked, errors, num_mvms, tuple(notes))


def _noisy(placement: Placement, config: TwoStages) -> ProgrammedChips:
    seed = derive_seed(config.layers.seed, "what hurts")
    return program(placement, simulate(placement.system, seed), DirectSet())


def _place(
    placement: Placement, options: Sequence[Option], layers: Mapping[str, _Layer], config: TwoStages
) -> tuple[MappedGraph, Placement, Mapping[str, int], list[str]]:
    """Fill the system as far as a placement is found for it."""
    cells, fill, notes = _cells(placement), config.fill, list[str]()
    groups = _items(layers, cells, config)
    while True:
        try:
            chosen = choose_items(groups, cells * fill)
        except CapacityError:
            raise CapacityError(
                f"no placement was found on {placement.system.name} even for the smallest mapping; give copies and "
                "row_copies that begin with 1"
            ) from None
        mapped = with_options(placement.mapped, {name: options[number] for name, number in chosen.items()})
        try:
            return mapped, place(mapped, placement.config, placement.system), chosen, notes
        except CapacityError:
            notes.append(
                f"no placement was found with {fill:.0%} of the cells in use; fewer copies were made"
            )
            fill *= _LESS


def _cells(placement: Placement) -> int:
    """Cells that tiles may take."""
    crossbar = placement.system.macro.crossbar
    taken = sum(region.num_rows * region.num_columns for region in placement.config.forbidden)
    return placement.system.num_macros * crossbar.num_rows * crossbar.num_columns - taken


def _items(layers: Mapping[str, _Layer], cells: int, config: TwoStages) -> dict[str, list[Item]]:
    """Harm and size of every option.

    Harm is the error of the outputs that a layer makes by its error above the threshold, and the price
    of cells and cycles in units of the harm that the first options do together, or of 1 where they do none.
    """
    unit = sum(layer.hurt * layer.measured[0].error for layer in layers.values()) or 1.0
    most = sum(max(item.num_cycles for item in layer.measured) for layer in layers.values())

    def item(layer: _Layer, option: Measured) -> Item:
        arrays, cycles = option.num_cells / cells, option.num_cycles / most
        price = unit * (config.array_price * arrays + config.cycle_price * cycles)
        return Item(layer.hurt * max(option.error - config.threshold, 0.0) + price, option.num_cells)

    return {name: [item(layer, option) for option in layer.measured] for name, layer in layers.items()}
