"""One mapped layer on its chips: codes out, sums back, decoded."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from crossloom.graph import Matrix
from crossloom.hardware import (
    Backend,
    Codes,
    DenseCodes,
    Draw,
    MvmCommand,
    Reading,
    WindowedCodes,
    Wiring,
    together,
)
from crossloom.mapping import Tile
from crossloom.placement import Placement
from crossloom.programming import LayerCorrection, RoundsBackend, region_of
from crossloom.runtime.activity import ActivityMeter
from crossloom.runtime.counts import ActionCounts, count_layer, input_format
from crossloom.runtime.dealing import bounds, deal_codes, gather
from crossloom.runtime.samples import SampleLayout, SampleOrder, sample_order


@dataclass(frozen=True)
class _Group:
    """Tiles that take the same inputs in the same round, and their commands."""

    input_start: int
    input_stop: int
    round: int
    numbers: tuple[int, ...]
    tiles: tuple[Tile, ...]
    commands: tuple[MvmCommand, ...]

    @property
    def items(self) -> list[tuple[int, Tile, MvmCommand]]:
        """The number, the tile and the command of each."""
        return list(zip(self.numbers, self.tiles, self.commands, strict=True))


@dataclass(frozen=True)
class TilePart:
    """What one tile answered: decoded sums of codes [vector, output, *positions], and codes per unit of them."""

    number: int
    tile: Tile
    sums: torch.Tensor
    scale: float


class LayerOnChips:
    """A mapped layer of a placement, ready to run on a backend, with what calibration found for it.

    Gains and offsets take the place of the division by the converters' scale, and steps and bias are those of
    `layer`: a correction makes no pass over data of its own.
    """

    def __init__(
        self, placement: Placement, node: Matrix, backend: Backend, correction: LayerCorrection | None = None
    ) -> None:
        mapped = placement.mapped
        self._node, self._backend, self._placement = node, backend, placement
        self._ask = together(backend)
        self._correction = correction or LayerCorrection()
        self.layer = self._correction.adjusted(mapped.quantized.layers[node.name])
        self._scheme = mapped.schemes[node.name]
        self._macro = placement.system.macro
        self._inputs = input_format(placement, node.name)
        self.meter = ActivityMeter(self._inputs, self._macro.dac)
        self._replicas = self._gather(placement)
        self._known_scales: tuple[tuple, torch.Tensor] = (), torch.empty(0)

    def order(self, values: torch.Tensor, layout: SampleLayout | None, num_samples: int) -> SampleOrder:
        """In which order the layer's input holds the samples of a batch."""
        leading = values.shape[:-1] if self._node.window is None else values.shape[:1]
        return sample_order(tuple(leading), layout, num_samples)

    def codes(self, values: torch.Tensor, order: SampleOrder) -> Codes:
        """Quantise the layer's input, in the layout that its tiles take, sample by sample."""
        codes = self.layer.quantize_input(values)
        if self._node.window is not None:
            return WindowedCodes(order.by_sample(codes), order.num_samples, self._node.window)
        return DenseCodes(order.by_sample(codes.reshape(-1, codes.shape[-1])), order.num_samples)

    def sums(self, codes: Codes, draw: Draw, count_codes: bool = False) -> tuple[torch.Tensor, list[Reading]]:
        """Sums of products [vector, output, *positions] as the chips see them, and the readings behind them.

        Replicas share the vectors.
        """
        if len(self._replicas) == 1:
            parts, readings = self._answers(self._replicas[0], codes, draw, count_codes)
            return self._assemble(parts, self._correction), readings
        found, all_readings = [], []
        for share in deal_codes(codes, len(self._replicas), draw):
            parts, readings = self._answers(self._replicas[share.replica], share.codes, draw, count_codes)
            found.append(share.own(self._assemble(parts, self._correction)))
            all_readings += readings
        return gather(found, codes), all_readings

    def parts(
        self, codes: Codes, draw: Draw, count_codes: bool = False
    ) -> tuple[list[TilePart], list[Reading]]:
        """What every tile of every replica answers to all vectors, and the readings behind it."""
        parts: list[TilePart] = []
        readings: list[Reading] = []
        for groups in self._replicas:
            found, behind = self._answers(groups, codes, draw, count_codes)
            parts += found
            readings += behind
        return parts, readings

    def _answers(
        self, groups: Sequence[_Group], codes: Codes, draw: Draw, count_codes: bool
    ) -> tuple[list[TilePart], list[Reading]]:
        """What the tiles of one replica answer, and the readings behind it."""
        parts: list[TilePart] = []
        readings: list[Reading] = []
        for group in groups:
            answers = self._multiply(
                group, codes.part(group.input_start, group.input_stop), draw, count_codes
            )
            readings += answers
            parts += [self._part(item, answer) for item, answer in zip(group.items, answers, strict=True)]
        return parts, readings

    def with_settings(self, corrections: Sequence[LayerCorrection]) -> "tuple[LayerOnChips, ...]":
        """The same layer with other corrections, one for each."""
        return tuple(
            LayerOnChips(self._placement, self._node, self._backend, correction) for correction in corrections
        )

    def assemble(self, parts: Sequence[TilePart], correction: LayerCorrection) -> torch.Tensor:
        """Sums of products [vector, output] from what tiles answered to all vectors: add up what shares outputs,
        average copies, put the rest in line, with the gains and offsets of `correction`; of replicas, what each would
        have been dealt if these were the vectors of one sample."""
        if len(self._replicas) == 1:
            return self._assemble(parts, correction)
        step, found = len(self._placement.mapped.tiles), []
        shares = bounds(len(parts[0].sums), len(self._replicas))
        for replica, (start, stop) in enumerate(shares):
            own = [part for part in parts if part.number // step == replica]
            found.append(self._assemble(own, correction)[start:stop])
        return torch.cat(found)

    def _assemble(self, parts: Sequence[TilePart], correction: LayerCorrection) -> torch.Tensor:
        """The same of one replica's tiles; sums may have positions."""
        if len(self._replicas[0]) == 1 and self._scheme.copies == 1:
            sums = _side_by_side([part.sums for part in parts])
            if correction.has_lines:
                return _line(sums, *self._lines(parts, correction, sums))
            if all(part.scale == 1 for part in parts):
                return sums
            return sums / self._scales(parts, sums)
        return self._add_up(parts, correction)

    def shaped(self, sums: torch.Tensor, values: torch.Tensor, order: SampleOrder) -> torch.Tensor:
        """Sums in the layout of the node's output, given its input."""
        sums = order.as_before(sums)
        return sums if self._node.window is not None else sums.view(*values.shape[:-1], -1)

    def count(self, codes: Codes, num_samples: int) -> ActionCounts:
        """What one batch of codes makes the chips do."""
        return count_layer(self._placement, self._node.name, codes.num_vectors, num_samples)

    def _gather(self, placement: Placement) -> tuple[tuple[_Group, ...], ...]:
        """The groups of every replica."""
        numbers = placement.numbers_of(self._node.name)
        in_each = len(placement.mapped.tiles_of[self._node.name])
        replicas = (numbers[start : start + in_each] for start in range(0, len(numbers), in_each))
        return tuple(self._groups_of(placement, own) for own in replicas)

    def _groups_of(self, placement: Placement, numbers: Sequence[int]) -> tuple[_Group, ...]:
        gathered: dict[tuple[int, int, int], list[int]] = defaultdict(list)
        for number in numbers:
            tile = placement.mapped.tile(number)
            written = placement.rounds[number] if placement.rounds else 0
            gathered[tile.input_start, tile.input_stop, written].append(number)
        return tuple(
            _Group(
                *span,
                tuple(found),
                tuple(placement.mapped.tile(number) for number in found),
                tuple(self._command(placement, number) for number in found),
            )
            for span, found in sorted(gathered.items(), key=lambda item: item[0][2])
        )

    def _command(self, placement: Placement, number: int) -> MvmCommand:
        scheme, tile = self._scheme, placement.mapped.tile(number)
        return MvmCommand(
            address=placement.site_of(number).address,
            region=region_of(placement, number),
            inputs=self._inputs,
            wiring=Wiring(scheme.pairing, scheme.row_copies),
            integration_time=self._correction.of(number).integration_time or tile.integration_time,
            level_step=scheme.level_step,
            read_voltage=self._correction.of(number).read_voltage,
        )

    def _multiply(self, group: _Group, codes: Codes, draw: Draw, count_codes: bool) -> Sequence[Reading]:
        if isinstance(self._backend, RoundsBackend):
            self._backend.enter(group.round)
        return self._ask(group.commands, codes, draw, count_codes)

    def _part(self, item: tuple[int, Tile, MvmCommand], answer: Reading) -> TilePart:
        number, tile, command = item
        return TilePart(number, tile, self._scheme.decode(answer.sums), self._scale(command))

    def _scale(self, command: MvmCommand) -> float:
        """Codes of the converter per unit of a tile's sum of products."""
        time, voltage = command.integration_time, command.read_voltage
        return self._macro.gain(time, command.level_step, voltage) * self._scheme.row_copies

    def _scales(self, parts: Sequence[TilePart], like: torch.Tensor) -> torch.Tensor:
        """Codes per unit for every output of the one group, in the shape of sums [vector, output, *positions].

        Recurrent layers ask for the same ones at every step.
        """
        key = (like.dtype, like.device, like.dim(), *((part.scale, part.sums.shape[1]) for part in parts))
        if self._known_scales[0] != key:
            scales = torch.tensor([part.scale for part in parts], dtype=like.dtype, device=like.device)
            widths = torch.tensor([part.sums.shape[1] for part in parts], device=like.device)
            self._known_scales = key, _along_outputs(scales.repeat_interleave(widths), like)
        return self._known_scales[1]

    def _lines(
        self, parts: Sequence[TilePart], correction: LayerCorrection, like: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Factor and offset for every output of the tiles in a row, in the shape of their sums."""
        factors, offsets = zip(*(_factor_and_offset(part, correction) for part in parts), strict=True)
        return _along_outputs(torch.cat(factors), like), _along_outputs(torch.cat(offsets), like)

    def _add_up(self, parts: Sequence[TilePart], correction: LayerCorrection) -> torch.Tensor:
        first, copies = parts[0].sums, self._scheme.copies
        dtype = torch.float64 if copies > 1 else self.layer.exact_dtype
        shape = (len(first), len(self.layer.weight), *first.shape[2:])
        whole = first.new_zeros(shape, dtype=dtype)
        for part in parts:
            place = whole[:, part.tile.output_start : part.tile.output_stop]
            if correction.has_lines:
                place += _line(part.sums, *self._lines([part], correction, part.sums))
            else:
                place += part.sums if part.scale == 1 else part.sums / part.scale
        return whole / copies if copies > 1 else whole


def sweep(layers: Sequence[LayerOnChips], codes: Codes, draw: Draw) -> list[list[TilePart]]:
    """What the tiles of one layer answer with each of several corrections: `layer.parts` of all, each group of tiles in
    one call to the chips. Every setting meets the same noise of reads."""
    parts: list[list[TilePart]] = [[] for _ in layers]
    all_groups = ([group for groups in layer._replicas for group in groups] for layer in layers)
    for groups in zip(*all_groups, strict=True):
        joined = replace(groups[0], commands=tuple(command for group in groups for command in group.commands))
        span = codes.part(joined.input_start, joined.input_stop)
        answers = iter(layers[0]._multiply(joined, span, draw, False))
        for layer, group, found in zip(layers, groups, parts, strict=True):
            found += [layer._part(item, next(answers)) for item in group.items]
    return parts


def _side_by_side(parts: Sequence[torch.Tensor]) -> torch.Tensor:
    """Sums [vector, output, *positions] of tiles in a row; not copied where they lie so already, out of one product.

    Where gradients flow they are copied: those of what lies beside the first part would be lost.
    """
    first, place = parts[0], parts[0].storage_offset()
    for part in parts:
        is_next = (
            not part.requires_grad and part.stride() == first.stride() and part.storage_offset() == place
        )
        if not is_next or part.untyped_storage().data_ptr() != first.untyped_storage().data_ptr():
            return torch.cat(list(parts), 1)
        place += part.shape[1] * first.stride(1)
    width = sum(part.shape[1] for part in parts)
    return first.as_strided((len(first), width, *first.shape[2:]), first.stride(), first.storage_offset())


def _factor_and_offset(part: TilePart, correction: LayerCorrection) -> tuple[torch.Tensor, torch.Tensor]:
    """What turns a tile's codes into corrected sums, float64 [output] each."""
    found, width = correction.of(part.number), part.sums.shape[1]
    gain = torch.ones(width, dtype=torch.float64) if found.gain is None else found.gain
    offset = torch.zeros(width, dtype=torch.float64) if found.offset is None else found.offset
    return gain.cpu() / part.scale, offset.cpu()


def _along_outputs(values: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    return values.to(like).view(-1, *[1] * (like.dim() - 2))


def _line(sums: torch.Tensor, factor: torch.Tensor, offset: torch.Tensor) -> torch.Tensor:
    """`sums * factor + offset` in one pass."""
    return torch.addcmul(offset, sums, factor)
