"""One layer: every setting of its registers side by side, and for each tile the best."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import log10

import torch

from crossloom.calibration import Arrival, LayerSums, draw_vectors, fit_columns, measure_settings
from crossloom.graph import Matrix
from crossloom.hardware import DenseCodes, Draw
from crossloom.mapping import legal_integration_time
from crossloom.programming import LayerCorrection, ProgrammedChips, TileCorrection
from crossloom.search.tuning.config import LayerKnob
from crossloom.search.tuning.reference import Reference
from crossloom.search.tuning.registers import REGISTERS
from crossloom.seeds import derive_generator

_SPREAD, _NUM_TIMES, _MOST_TIMES = 8.0, 32, 256


@dataclass(frozen=True)
class Vectors:
    """Input vectors of a layer: some to fit lines with, others to judge settings by."""

    fit: DenseCodes = field(repr=False)
    judge: DenseCodes = field(repr=False)

    @property
    def number(self) -> int:
        return self.fit.num_vectors + self.judge.num_vectors


def draw_pair(arrival: Arrival, num_vectors: int, seed: int) -> Vectors:
    """Vectors of what arrives at a layer, half to fit with and half to judge by."""
    generator = derive_generator(seed, "tuning", arrival.node.name)
    layer = arrival.chips.placement.mapped.quantized.layers[arrival.node.name]
    drawn = draw_vectors(arrival.node, layer.quantize_input(arrival.values), num_vectors, generator)
    order = torch.randperm(drawn.num_vectors, generator=generator)
    values = drawn.values[order.to(drawn.values.device)]
    middle = len(values) // 2
    return Vectors(DenseCodes(values[:middle], middle), DenseCodes(values[middle:], len(values) - middle))


@dataclass(frozen=True)
class Choice:
    """The corrections of a layer by the number of knobs that were used, and their errors (NMSE) on vectors held out."""

    corrections: tuple[LayerCorrection, ...] = field(repr=False)
    errors: tuple[float, ...]
    num_mvms: int


@dataclass(frozen=True)
class _Measured:
    """One setting of all tiles: what it gave on the vectors to fit with and on those to judge by."""

    correction: LayerCorrection
    fit: LayerSums
    judge: LayerSums


def choose_settings(
    chips: ProgrammedChips,
    node: Matrix,
    vectors: Vectors,
    present: LayerCorrection,
    knobs: Sequence[LayerKnob],
    voltages: Sequence[float],
    reference: Reference,
    seed: int,
) -> Choice:
    """Try every setting, and choose tile by tile: with none of the knobs, with the first, with the first two, ..."""
    settings = settings_of(chips, node.name, present, knobs, voltages)
    fit = measure_settings(chips, node, settings, vectors.fit, Draw(seed), reference.sums)
    later = Draw(seed, vectors.fit.num_vectors)
    judge = measure_settings(chips, node, settings, vectors.judge, later, reference.sums)
    measured = [_Measured(*found) for found in zip(settings, fit, judge, strict=True)]
    found = [(present, judge[0].error(present))]
    for number in range(1, len(knobs) + 1):
        found.append(_offer(measured, found[-1], knobs[:number]))
    corrections, errors = zip(*found, strict=True)
    return Choice(corrections, errors, _num_mvms(chips, node, vectors, settings))


def sweep_cost(
    chips: ProgrammedChips,
    node: Matrix,
    vectors: Vectors,
    present: LayerCorrection,
    knobs: Sequence[LayerKnob],
    voltages: Sequence[float],
) -> int:
    """MVMs of tiles that `choose_settings` takes."""
    return _num_mvms(chips, node, vectors, settings_of(chips, node.name, present, knobs, voltages))


def _num_mvms(
    chips: ProgrammedChips, node: Matrix, vectors: Vectors, settings: Sequence[LayerCorrection]
) -> int:
    return len(chips.placement.numbers_of(node.name)) * vectors.number * len(settings)


def settings_of(
    chips: ProgrammedChips,
    layer: str,
    present: LayerCorrection,
    knobs: Sequence[LayerKnob],
    voltages: Sequence[float] = (),
) -> list[LayerCorrection]:
    """What to try: first the settings as they are, then all tiles at every other time and voltage, without lines."""
    mapped = chips.placement.mapped
    numbers = chips.placement.numbers_of(layer)
    now = {
        number: present.of(number).integration_time or mapped.tile(number).integration_time
        for number in numbers
    }
    plain = {number: replace(present.of(number), integration_time=now[number]) for number in numbers}
    tried: list[LayerCorrection] = [replace(present, tiles=plain)]
    own = tuple(dict.fromkeys(present.of(number).read_voltage for number in numbers))
    for volt in (*own, *voltages) if "read_voltage" in knobs else own:
        for times in _times(chips, now) if "integration_time" in knobs else [now]:
            tiles = {number: TileCorrection(times[number], read_voltage=volt) for number in numbers}
            tried.append(replace(present, tiles=tiles))
    return tried


def _times(chips: ProgrammedChips, now: Mapping[int, float]) -> list[dict[int, float]]:
    """Every integration time for all tiles, or at most 256 of many; without a register, times around those of each."""
    macro = chips.placement.system.macro
    if macro.readout.code_range is None:
        return [dict(now)]
    limit = macro.readout.max_time
    if limit is not None:
        times = range(1, limit + 1) if limit <= _MOST_TIMES else _spread_over(limit)
        return [dict.fromkeys(now, float(time)) for time in times]
    steps = torch.logspace(-1, 1, _NUM_TIMES + 1, base=_SPREAD).tolist()
    return [
        {number: legal_integration_time(time * step, macro) for number, time in now.items()} for step in steps
    ]


def _spread_over(limit: int) -> list[int]:
    """Integers from 1 to `limit`, evenly in their logarithm."""
    places = torch.logspace(0, log10(limit), _MOST_TIMES, dtype=torch.float64)
    return places.round().to(torch.int64).unique().tolist()


def _offer(
    measured: Sequence[_Measured], before: tuple[LayerCorrection, float], knobs: Sequence[LayerKnob]
) -> tuple[LayerCorrection, float]:
    """The best correction with these knobs, where it helps on the vectors held out; else what was there before."""
    is_fixed = not any(knob in REGISTERS for knob in knobs)
    usable = [item for item in measured if not is_fixed or _has_settings(item, measured[0])]
    present, places = usable[0], range(len(usable[0].judge.parts))
    chosen = [usable[_pick(_errors_of_tile(usable, place, knobs))] for place in places]
    fit, judge = (
        replace(old, parts=[new.parts[place] for place, new in enumerate(sums)])
        for old, sums in (
            (present.fit, [item.fit for item in chosen]),
            (present.judge, [item.judge for item in chosen]),
        )
    )
    tiles = {
        part.number: item.correction.of(part.number) for part, item in zip(judge.parts, chosen, strict=True)
    }
    proposed = replace(before[0], tiles=tiles)
    if "offset" in knobs:
        proposed = fit_columns(fit, proposed, "gain" in knobs)
    error = judge.error(proposed)
    return (proposed, error) if error < before[1] else before


def _has_settings(item: _Measured, present: _Measured) -> bool:
    return all(
        (tile.integration_time, tile.read_voltage)
        == (present.correction.of(number).integration_time, present.correction.of(number).read_voltage)
        for number, tile in item.correction.tiles.items()
    )


def _errors_of_tile(measured: Sequence[_Measured], place: int, knobs: Sequence[LayerKnob]) -> torch.Tensor:
    """Square error of one tile at every setting for every vector to judge by, float64 [setting, vector].

    Lines are those of least squares, all settings at once: enough to tell settings apart; the one that is chosen gets
    lines that are held back where the data do not carry them.
    """
    fitted, judged = (
        torch.stack([_values(sums, item.correction, place) for item, sums in pairs])
        for pairs in (
            [(item, item.fit) for item in measured],
            [(item, item.judge) for item in measured],
        )
    )
    sums = measured[0].judge
    tile, exact = sums.parts[place].tile, sums.exact[place]
    if "offset" in knobs:
        judged = _straightened(judged, fitted, measured[0].fit.exact[place], "gain" in knobs)
    steps = sums.steps[tile.output_start : tile.output_stop]
    return ((judged - exact) * steps).square_().sum(2)


def _values(sums: LayerSums, correction: LayerCorrection, place: int) -> torch.Tensor:
    """What a tile answered at one setting with the lines that it came with, float64 [vector, output]."""
    part = sums.parts[place]
    found, answered = correction.of(part.number), part.sums.double() / part.scale
    if found.gain is not None:
        answered = answered * found.gain.to(answered)
    if found.offset is not None:
        answered = answered + found.offset.to(answered)
    if correction.scale is not None:
        answered = answered * correction.scale[part.tile.output_start : part.tile.output_stop].to(answered)
    return answered


def _straightened(
    judged: torch.Tensor, fitted: torch.Tensor, exact: torch.Tensor, has_gain: bool
) -> torch.Tensor:
    """Values [setting, vector, output] with the line of least squares that others, `fitted`, have to the exact ones."""
    mean, wanted = fitted.mean(1, keepdim=True), exact.mean(0)
    if not has_gain:
        return judged + (wanted - mean)
    spread = fitted - mean
    power = spread.square().sum(1, keepdim=True)
    slope = (spread * (exact - wanted)).sum(1, keepdim=True) / power.clamp(min=1e-300)
    slope = torch.where(power > 0, slope, torch.ones_like(slope))
    return (judged - mean) * slope + wanted


def _pick(errors: torch.Tensor) -> int:
    """The setting of least error [setting, vector]; the first, which is the present one, unless another is better by
    more than a standard error of their difference."""
    best = int(errors.mean(1).argmin())
    gain = errors[0] - errors[best]
    if len(gain) < 2:
        return 0  # one vector does not tell
    return 0 if gain.mean() <= gain.std() / len(gain) ** 0.5 else best
