"""How much memory macros take while they are used: measured on one tile, and summed up for the largest step."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import torch

from crossloom.artefacts import saved
from crossloom.errors import ConfigError
from crossloom.hardware import Backend, DenseCodes, Divisible, Draw, InputFormat, MvmCommand, Wiring
from crossloom.placement import Placement
from crossloom.programming.plan import region_of
from crossloom.units import format_bytes

_MAKING = 40  # bytes a cell while its function is made: matrices in float64, of every tile and side by side
_WRITING = 150  # bytes a cell while it is written: what strategies remember of it, in float64
VALUES_SHARE = 0.25
"""The share of the memory that is for the values of a batch; the rest is for macros."""


@saved
@dataclass(frozen=True)
class Footprint:
    """Bytes of a macro's state, and, for every cell of a region that multiplies, of what is made from it."""

    macro: int
    function: float

    def of_macros(self, number: int) -> int:
        """What the states of so many macros take."""
        return number * self.macro

    def of_functions(self, num_cells: int) -> int:
        """What it takes to make, and to keep, the function of so many cells."""
        return round(num_cells * (self.function + _MAKING))


def measure_footprint(placement: Placement, base: Divisible) -> Footprint:
    """What the largest tile takes, on a macro as it was delivered."""
    tiles = placement.mapped.tiles
    number = max(range(len(tiles)), key=lambda number: tiles[number].num_cells)
    command = _command(placement, number)
    part = base.part(())
    assert isinstance(part, Backend)
    part.read(command.address, command.region)
    macro = part.num_bytes
    part.mvm(command, DenseCodes(torch.zeros(1, command.num_inputs), 1), Draw(0))
    return Footprint(macro, (part.num_bytes - macro) / command.region.num_cells)


def check_memory(placement: Placement, footprint: Footprint, memory: int) -> None:
    """ConfigError when the memory does not hold the macros that have to work together."""
    most, layer = max(_needs(placement, footprint))
    least = round(most / (1 - VALUES_SHARE)) + 1
    if memory < least:
        raise ConfigError(
            f"memory: need at least {least} bytes ({format_bytes(least)}), which macros of {layer} take while they "
            f"multiply the same inputs, got {format_bytes(memory)}"
        )


def _needs(placement: Placement, footprint: Footprint) -> Iterator[tuple[int, str]]:
    """For tiles that take the same inputs: what they need, and whose they are."""
    mapped = placement.mapped
    for layer, numbers in mapped.tiles_of.items():
        together: dict[int, list[int]] = {}
        for number in numbers:
            together.setdefault(mapped.tile(number).input_start, []).append(number)
        yield max(_need(placement, footprint, group) for group in together.values()), layer


def _need(placement: Placement, footprint: Footprint, group: Collection[int]) -> int:
    cells = [placement.mapped.tile(number).num_cells for number in group]
    macros = {placement.site_of(number).address for number in group}
    crossbar = placement.system.macro.crossbar
    writing = _WRITING * crossbar.num_rows * crossbar.num_columns
    return footprint.of_macros(len(macros)) + footprint.of_functions(sum(cells)) + writing


def _command(placement: Placement, number: int) -> MvmCommand:
    mapped = placement.mapped
    tile = mapped.tile(number)
    scheme, layer = mapped.schemes[tile.layer], mapped.quantized.layers[tile.layer]
    return MvmCommand(
        address=placement.site_of(number).address,
        region=region_of(placement, number),
        inputs=InputFormat(scheme.input_mode, layer.input_bits, layer.input_is_signed),
        wiring=Wiring(scheme.pairing, scheme.row_copies),
        integration_time=tile.integration_time,
        level_step=scheme.level_step,
    )
