"""What a run did: every action counted, layer by layer."""

from collections.abc import Iterable
from dataclasses import dataclass, fields

from crossloom.artefacts import saved
from crossloom.hardware import InputFormat
from crossloom.placement import Placement


@saved
@dataclass(frozen=True)
class ActionCounts:
    """num_mvms: MVMs of tiles.  num_cycles: their input cycles.  num_row_drives: pulses that rows could carry.
    num_conversions: of converters.  bytes_in, bytes_out: over links, to chips and from them.
    """

    num_mvms: int = 0
    num_cycles: int = 0
    num_row_drives: int = 0
    num_conversions: int = 0
    bytes_in: int = 0
    bytes_out: int = 0

    def __add__(self, other: "ActionCounts") -> "ActionCounts":
        pairs = ((getattr(self, field.name), getattr(other, field.name)) for field in fields(self))
        return ActionCounts(*(a + b for a, b in pairs))


def total(counts: Iterable[ActionCounts]) -> ActionCounts:
    """The sum of counts."""
    return sum(counts, ActionCounts())


def input_format(placement: Placement, layer: str) -> InputFormat:
    """How a mapped layer's input codes become pulses."""
    quantized = placement.mapped.quantized.layers[layer]
    mode = placement.mapped.schemes[layer].input_mode
    return InputFormat(mode, quantized.input_bits, quantized.input_is_signed)


def count_layer(placement: Placement, layer: str, num_vectors: int, num_samples: int) -> ActionCounts:
    """What `num_vectors` input vectors of `num_samples` samples make a mapped layer's chips do."""
    mapped = placement.mapped
    tiles = [mapped.tiles[number] for number in mapped.tiles_of[layer]]
    per_output = mapped.schemes[layer].columns_per_output
    steps = [step for step in placement.schedule if step.layer == layer]
    cycles = num_vectors * input_format(placement, layer).num_cycles(placement.system.macro.dac)
    return ActionCounts(
        num_mvms=num_vectors * len(tiles),
        num_cycles=cycles * len(tiles),
        num_row_drives=cycles * sum(tile.num_rows for tile in tiles),
        num_conversions=cycles * sum(tile.num_columns // per_output for tile in tiles),
        bytes_in=num_samples * sum(step.bytes_in for step in steps),
        bytes_out=num_samples * sum(step.bytes_out for step in steps),
    )
