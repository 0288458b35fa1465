"""Integration times: where a tile's sums meet the range of its converter.

Before any chip, on ideal arithmetic, by `choose_integration_times`; on chips, calibration asks the same functions
with what was measured.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

import torch

from crossloom.calibration.config import ConverterRange
from crossloom.calibration.observing import fixed_batch, observe
from crossloom.circuits import convert, effective_array, expand, product
from crossloom.errors import DataError
from crossloom.hardware import Codes, DenseCodes, InputFormat, Wiring
from crossloom.mapping import MappedGraph, Tile, legal_integration_time
from crossloom.progress import track

_MAX_SAMPLES = 16
_MAX_VECTORS = 512
_NUM_CANDIDATES = 48
_WIDEST = 1.5  # decades of integration time from "nothing clips" on
_PERCENTILE = 0.999
_DEVIATIONS = 3.0


def choose_integration_times(
    mapped: MappedGraph,
    data: Iterable[tuple[torch.Tensor, ...]],
    method: ConverterRange = "mse",
    keep: Collection[str] = (),
) -> MappedGraph:
    """The same tiles, each with the integration time that suits its sums, as ideal cells would give them.

    `data` are calibration batches (tuples of inputs); the first suffices. Times that the configuration names,
    or takes from weights, stay as they are, and so do those of the layers `keep`, and everything where converters
    are ideal.
    """
    if mapped.macro.readout.code_range is None:
        return mapped
    batch = next(iter(data), None)
    if batch is None:
        raise DataError("calibration data are empty; give at least one batch of inputs")
    sample = batch if fixed_batch(mapped) else tuple(part[:_MAX_SAMPLES] for part in batch)
    codes = observe(mapped, sample, _MAX_VECTORS)
    times: dict[int, float] = {}
    for layer, numbers in track(mapped.tiles_of.items(), "choosing integration times", len(mapped.tiles_of)):
        if layer in keep or layer in mapped.tied or not mapped.config.for_layer(layer).is_range_left_to_data:
            continue
        seen = _all_codes(mapped, layer, codes)
        known: dict[tuple[int, ...], float] = {}
        for number in numbers:
            tile = mapped.tiles[number]
            if tile.block not in known:
                known[tile.block] = TileRange(mapped, tile, seen).choose(method)
            times[number] = known[tile.block]
    return mapped.with_integration_times(times)


def _all_codes(mapped: MappedGraph, layer: str, codes: Mapping[str, DenseCodes]) -> DenseCodes:
    """The input vectors of a layer and of those that use its tiles: a tile has one integration time."""
    found = [codes[layer], *(codes[name] for name, owner in mapped.tied.items() if owner == layer)]
    if len(found) == 1:
        return found[0]
    vectors = torch.cat([each.values for each in found])
    return DenseCodes(vectors, len(vectors))


class TileRange:
    """What one tile's converters would see of some input vectors if its cells were ideal."""

    def __init__(self, mapped: MappedGraph, tile: Tile, codes: Codes) -> None:
        macro, scheme = mapped.macro, mapped.schemes[tile.layer]
        layer = mapped.quantized.layers[tile.layer]
        array = effective_array(
            mapped.targets(tile), None, Wiring(scheme.pairing, scheme.row_copies), scheme.level_step
        )
        inputs = InputFormat(scheme.input_mode, layer.input_bits, layer.input_is_signed)
        cycles = expand(codes.part(tile.input_start, tile.input_stop), inputs, macro.dac)
        self._macro, self._scheme, self._cycles = macro, scheme, cycles
        self._sums = product(cycles.codes, array.matrix.T.to(torch.float32).contiguous())
        self._exact = self._decoded(self._sums)

    def choose(self, method: ConverterRange, gain: float = 1.0) -> float:
        """The legal integration time. `gain`: how much larger the chip's sums are than those of ideal cells."""
        if method == "mse":
            return min(self._candidates(), key=self._error)
        return legal_integration_time(self._full_scale(self._reach(method) * gain), self._macro)

    def answered(self, time: float) -> torch.Tensor:
        """The tile's sums of products as its converters give them at this time, float64 [vector, output]."""
        gain = self._macro.gain(time, self._scheme.level_step)
        converted = convert(self._sums * gain, self._macro.readout.code_range) / gain
        return self._decoded(converted).double() / self._scheme.row_copies

    def _reach(self, method: ConverterRange) -> float:
        """The sum that shall be the end of the converter's range."""
        sums, sizes = self._sums, self._sums.abs()
        if method == "max":
            return sizes.max().item()
        if method == "percentile":
            flat = sizes.flatten()
            return flat.kthvalue(min(int(_PERCENTILE * flat.numel()) + 1, flat.numel())).values.item()
        spread = sums.std(0, correction=0)
        return (sums.mean(0).abs() + _DEVIATIONS * spread).max().item()

    def _full_scale(self, reach: float) -> float:
        """The time at which a sum of `reach` is the top code."""
        code_range = self._macro.readout.code_range
        assert code_range is not None
        unit = self._macro.gain(1.0, self._scheme.level_step)
        time = code_range[1] / max(reach, 1.0) / unit
        return time if self._macro.readout.max_time is not None else min(time, 1.0)

    def _candidates(self) -> Sequence[float]:
        """Legal times from "nothing clips" to "most clips", and the one with a code per unit of the sum."""
        widest = self._full_scale(self._reach("max"))
        steps = torch.logspace(0, _WIDEST, _NUM_CANDIDATES).tolist()
        if self._macro.readout.max_time is None:
            return [1.0, *(min(widest * step, 1.0) for step in steps)]
        return sorted({legal_integration_time(widest * step, self._macro) for step in steps})

    def _decoded(self, converted: torch.Tensor) -> torch.Tensor:
        weights = self._cycles.weights.view(1, -1, 1)
        return self._scheme.decode((converted.unflatten(0, (-1, self._cycles.num_cycles)) * weights).sum(1))

    def _error(self, time: float) -> float:
        """Square error of the decoded sums. Weighing outputs by their steps lowers the error of layers' values by 2 to
        10 % (ResNet-20 and -32 on tsinghua_c200), but makes the networks' answers no better, so all weigh alike."""
        gain = self._macro.gain(time, self._scheme.level_step)
        answered = self._decoded(convert(self._sums * gain, self._macro.readout.code_range) / gain)
        return (answered - self._exact).square().sum().item()


def times_around(present: float, mapped: MappedGraph, spread: float, number: int) -> list[float]:
    """Legal times around the present one, which is the first: by up to a factor of `spread` either way."""
    steps = torch.logspace(-1, 1, number, base=spread).tolist()
    times = sorted({legal_integration_time(present * step, mapped.macro) for step in steps} - {present})
    return [present, *times]
