"""One mapped layer on its chips: codes out, sums back, decoded."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

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
from crossloom.runtime.samples import SampleLayout, SampleOrder, sample_order


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
        self._steps = [step for step in placement.schedule if step.layer == node.name]

    def order(self, values: torch.Tensor, layout: SampleLayout | None, num_samples: int) -> SampleOrder:
        """In which order the layer's input holds the samples of a batch."""
        leading = values.shape[:-1] if self._node.window is None else values.shape[:1]
        return sample_order(tuple(leading), layout, num_samples)

    def codes(self, values: torch.Tensor, order: SampleOrder) -> Codes:
        """Quantise the layer's input, in the layout that its tiles take, sample by sample."""
        codes = self._layer.quantize_input(values)
        if self._node.window is not None:
            return WindowedCodes(order.by_sample(codes), order.num_samples, self._node.window)
        return DenseCodes(order.by_sample(codes.reshape(-1, codes.shape[-1])), order.num_samples)

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
                (tile, self._scheme.decode(answer.sums))
                for tile, answer in zip(group.tiles, answers, strict=True)
            ]
        return self._assemble(parts), readings

    def shaped(self, sums: torch.Tensor, values: torch.Tensor, order: SampleOrder) -> torch.Tensor:
        """Sums in the layout of the node's output, given its input."""
        sums = order.as_before(sums)
        return sums if self._node.window is not None else sums.view(*values.shape[:-1], -1)

    def count(self, codes: Codes, num_samples: int) -> ActionCounts:
        """What one batch of codes makes the chips do."""
        vectors = codes.num_vectors
        counts = ActionCounts(
            bytes_in=num_samples * sum(step.bytes_in for step in self._steps),
            bytes_out=num_samples * sum(step.bytes_out for step in self._steps),
        )
        cycles = vectors * self._inputs.num_cycles(self._macro.dac)
        for group in self._groups:
            for command in group.commands:
                counts += ActionCounts(
                    num_mvms=vectors,
                    num_cycles=cycles,
                    num_row_drives=cycles * command.region.num_rows,
                    num_conversions=cycles * command.num_outputs,
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

    def _scale(self, tile: Tile) -> float:
        """Codes of the converter per unit of a tile's sum of products."""
        return self._macro.gain(tile.integration_time, self._scheme.level_step) * self._scheme.row_copies

    @cached_property
    def _is_unscaled(self) -> bool:
        return all(self._scale(tile) == 1 for group in self._groups for tile in group.tiles)

    def _scales(self, like: torch.Tensor) -> torch.Tensor:
        """Codes per unit for every output of the one group, in the shape of sums [vector, output, *positions]."""
        tiles = self._groups[0].tiles
        scales = torch.tensor([self._scale(tile) for tile in tiles], dtype=like.dtype, device=like.device)
        widths = torch.tensor([tile.output_stop - tile.output_start for tile in tiles], device=like.device)
        return scales.repeat_interleave(widths).view(-1, *[1] * (like.dim() - 2))

    def _assemble(self, parts: list[tuple[Tile, torch.Tensor]]) -> torch.Tensor:
        """Sums of products from decoded codes: add up what shares outputs, average copies, put the rest in line."""
        if len(self._groups) == 1 and self._scheme.copies == 1:
            sums = parts[0][1] if len(parts) == 1 else torch.cat([part for _, part in parts], 1)
            return sums if self._is_unscaled else sums / self._scales(sums)
        first, copies = parts[0][1], self._scheme.copies
        dtype = torch.float64 if copies > 1 else self._layer.exact_dtype
        shape = (len(first), len(self._layer.weight), *first.shape[2:])
        whole = first.new_zeros(shape, dtype=dtype)
        for tile, part in parts:
            scale = self._scale(tile)
            whole[:, tile.output_start : tile.output_stop] += part if scale == 1 else part / scale
        return whole / copies if copies > 1 else whole
