"""One mapped layer on its chips: codes out, sums back, decoded."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from crossloom.graph import Matrix
from crossloom.hardware import (
    Backend,
    Codes,
    DenseCodes,
    Draw,
    InputFormat,
    ManyMvms,
    MvmCommand,
    Reading,
    WindowedCodes,
    Wiring,
)
from crossloom.mapping import Tile
from crossloom.placement import Placement
from crossloom.programming import region_of
from crossloom.runtime.counts import ActionCounts

_SUM_BYTES = 4


@dataclass(frozen=True)
class _Group:
    """Tiles that take the same inputs, and their commands."""

    input_start: int
    input_stop: int
    tiles: tuple[Tile, ...]
    commands: tuple[MvmCommand, ...]


class LayerOnChips:
    """A mapped layer of a placement, ready to run on a backend."""

    def __init__(self, placement: Placement, node: Matrix, backend: Backend) -> None:
        mapped = placement.mapped
        self._node, self._backend = node, backend
        self._layer = mapped.quantized.layers[node.name]
        self._scheme = mapped.schemes[node.name]
        self._macro = placement.system.macro
        self._inputs = InputFormat(
            self._scheme.input_mode, self._layer.input_bits, self._layer.input_is_signed
        )
        self._groups = self._gather(placement)

    def codes(self, values: torch.Tensor) -> Codes:
        """Quantise the layer's input, in the layout that its tiles take."""
        codes = self._layer.quantize_input(values)
        if self._node.window is not None:
            return WindowedCodes(codes, len(codes), self._node.window)
        return DenseCodes(codes.flatten(0, -2), len(codes))

    def sums(self, codes: Codes, draw: Draw, count_codes: bool = False) -> tuple[torch.Tensor, list[Reading]]:
        """Sums of products [vector, output, *positions] as the chips see them, and the readings behind them."""
        parts: list[tuple[Tile, torch.Tensor]] = []
        readings: list[Reading] = []
        for group in self._groups:
            answers = self._multiply(
                group, codes.part(group.input_start, group.input_stop), draw, count_codes
            )
            readings += answers
            parts += [
                (tile, self._decode(tile, answer)) for tile, answer in zip(group.tiles, answers, strict=True)
            ]
        return self._assemble(parts), readings

    def shaped(self, sums: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        """Sums in the layout of the node's output, given its input."""
        return sums if self._node.window is not None else sums.view(*values.shape[:-1], -1)

    def count(self, codes: Codes) -> ActionCounts:
        """What one batch of codes makes the chips do."""
        vectors, counts = codes.num_vectors, ActionCounts()
        cycles = vectors * self._inputs.num_cycles(self._macro.dac)
        for group in self._groups:
            chips = len({command.address.chip for command in group.commands})
            bits_in = vectors * (group.input_stop - group.input_start) * self._inputs.bits * chips
            counts += ActionCounts(bytes_in=-(-bits_in // 8))
            for tile, command in zip(group.tiles, group.commands, strict=True):
                counts += ActionCounts(
                    num_mvms=vectors,
                    num_cycles=cycles,
                    num_row_drives=cycles * command.region.num_rows,
                    num_conversions=cycles * command.num_outputs,
                    bytes_out=vectors * (tile.output_stop - tile.output_start) * _SUM_BYTES,
                )
        return counts

    def _gather(self, placement: Placement) -> tuple[_Group, ...]:
        gathered: dict[tuple[int, int], list[tuple[Tile, MvmCommand]]] = defaultdict(list)
        for number in placement.mapped.tiles_of[self._node.name]:
            tile = placement.mapped.tiles[number]
            gathered[tile.input_start, tile.input_stop].append((tile, self._command(placement, number)))
        return tuple(
            _Group(*span, tuple(tile for tile, _ in pairs), tuple(command for _, command in pairs))
            for span, pairs in gathered.items()
        )

    def _command(self, placement: Placement, number: int) -> MvmCommand:
        scheme, tile = self._scheme, placement.mapped.tiles[number]
        return MvmCommand(
            address=placement.sites[number].address,
            region=region_of(placement, number),
            inputs=self._inputs,
            wiring=Wiring(scheme.pairing, scheme.row_copies),
            integration_time=tile.integration_time,
            level_step=scheme.level_step,
        )

    def _multiply(self, group: _Group, codes: Codes, draw: Draw, count_codes: bool) -> Sequence[Reading]:
        if isinstance(self._backend, ManyMvms):
            return self._backend.mvm_many(group.commands, codes, draw, count_codes)
        return [self._backend.mvm(command, codes, draw, count_codes) for command in group.commands]

    def _decode(self, tile: Tile, reading: Reading) -> torch.Tensor:
        """Sums of products in units of codes and weights, from sums of converter codes."""
        scale = self._macro.gain(tile.integration_time, self._scheme.level_step) * self._scheme.row_copies
        sums = self._scheme.decode(reading.sums)
        return sums if scale == 1 else sums / scale

    def _assemble(self, parts: list[tuple[Tile, torch.Tensor]]) -> torch.Tensor:
        """Add up what shares outputs, average copies, and put the rest side by side."""
        tile, first = parts[0]
        num_outputs = len(self._layer.weight)
        if len(parts) == 1 and tile.output_stop - tile.output_start == num_outputs:
            return first
        copies, dtype = (
            self._scheme.copies,
            torch.float64 if self._scheme.copies > 1 else self._layer.exact_dtype,
        )
        whole = first.new_zeros(len(first), num_outputs, *first.shape[2:], dtype=dtype)
        for tile, sums in parts:
            whole[:, tile.output_start : tile.output_stop] += sums
        return whole / copies if copies > 1 else whole
