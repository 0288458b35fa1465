"""What calibration will measure: which layers and tiles, which inputs, how many MVMs. Nothing has happened yet."""

from dataclasses import dataclass, field

from crossloom.calibration.config import CalibrationConfig
from crossloom.calibration.observing import observe
from crossloom.calibration.ranging import times_around
from crossloom.calibration.samples import Samples, split_samples
from crossloom.errors import RunError
from crossloom.graph import Matrix
from crossloom.hardware import DenseCodes
from crossloom.mapping import vectors_per_sample
from crossloom.programming import ProgrammedChips, check_lasting
from crossloom.runtime import Batch

_SPREAD, _NUM_TIMES = 2.0, 11


@dataclass(frozen=True)
class PlannedLayer:
    """One layer: its tiles, the vectors to fit with and those held out, and the times to try for each tile."""

    node: Matrix
    tiles: tuple[int, ...]
    fit: DenseCodes = field(repr=False)
    held_out: DenseCodes = field(repr=False)
    times: tuple[tuple[float, ...], ...] = ()

    @property
    def num_vectors(self) -> int:
        return self.fit.num_vectors + self.held_out.num_vectors

    @property
    def num_mvms(self) -> int:
        """Of tiles: all vectors as things are; with other times the vectors to fit with, and all once more."""
        own = len(self.tiles) * self.num_vectors
        tried = max(map(len, self.times), default=0) * len(self.tiles) * self.fit.num_vectors
        return own + tried + (own if self.has_ranges else 0)

    @property
    def has_ranges(self) -> bool:
        return bool(self.times)


@dataclass(frozen=True)
class CalibrationPlan:
    """All layers that run on the chips, and the samples whose way through them gives channels their statistics."""

    chips: ProgrammedChips
    config: CalibrationConfig
    fit: Samples = field(repr=False)
    held_out: Samples = field(repr=False)
    layers: tuple[PlannedLayer, ...] = field(repr=False)

    @property
    def num_mvms(self) -> int:
        """MVMs of tiles that measuring takes."""
        return sum(layer.num_mvms for layer in self.layers) + (
            self.num_channel_mvms if self.config.channels else 0
        )

    @property
    def num_channel_mvms(self) -> int:
        """MVMs for the statistics of channels: every sample goes through all layers once."""
        mapped = self.chips.placement.mapped
        vectors = vectors_per_sample(mapped.quantized.graph)
        per_sample = sum(vectors[layer.node.name] * len(layer.tiles) for layer in self.layers)
        return per_sample * (len(self.fit[0]) + len(self.held_out[0]))

    def summary(self) -> str:
        """What would be measured, layer by layer."""
        lines = [
            f"CalibrationPlan: {len(self.layers)} layers, {len(self.fit[0])} samples to fit and "
            f"{len(self.held_out[0])} held out, {self.num_mvms:,} MVMs of tiles"
        ]
        for layer in self.layers:
            times = f", {max(map(len, layer.times))} integration times" if layer.times else ""
            lines.append(
                f"  {layer.node.name}: {len(layer.tiles)} tiles, {layer.fit.num_vectors} + "
                f"{layer.held_out.num_vectors} vectors{times}"
            )
        if self.config.channels:
            lines.append(f"  statistics of channels: {self.num_channel_mvms:,} MVMs")
        return "\n".join(lines)


def plan_calibration(
    chips: ProgrammedChips, data: Batch, config: CalibrationConfig | None = None
) -> CalibrationPlan:
    """Find the input vectors of every layer digitally; no chip is touched.

    data: inputs as for `run`: a tensor [sample, ...], or a tuple of them for several inputs.

    Raises DataError when they do not fit the model or are too few, RunError for what are no programmed chips,
    ProgramError for chips that are written anew for every batch.
    """
    if not isinstance(chips, ProgrammedChips):
        raise RunError(
            f"need ProgrammedChips, got a {type(chips).__name__}; program them first: program(placement, backend)"
        )
    check_lasting(chips.placement, "calibrate")
    config = config or CalibrationConfig()
    mapped = chips.placement.mapped
    fit, held_out = split_samples(data, mapped, config)
    num_held = max(round(config.num_vectors * config.held_out), 4)
    to_fit = observe(mapped, fit, config.num_vectors - num_held, config.seed)
    to_judge = observe(mapped, held_out, num_held, config.seed)
    layers = tuple(
        PlannedLayer(node, numbers, to_fit[node.name], to_judge[node.name], _times(chips, config, node.name))
        for node in mapped.quantized.graph.matrices
        if node.name in mapped.schemes and (numbers := chips.placement.numbers_of(node.name))
    )
    return CalibrationPlan(chips.with_calibration(None), config, fit, held_out, layers)


def _times(chips: ProgrammedChips, config: CalibrationConfig, layer: str) -> tuple[tuple[float, ...], ...]:
    """Times to try for every tile: those near the present one, or for other methods none but that of the method."""
    mapped = chips.placement.mapped
    is_fixed = not mapped.config.for_layer(layer).is_range_left_to_data
    if config.ranges is None or mapped.macro.readout.code_range is None or is_fixed:
        return ()
    if config.ranges != "mse":
        return tuple(() for _ in chips.placement.numbers_of(layer))
    tiles = [mapped.tile(number) for number in chips.placement.numbers_of(layer)]
    return tuple(tuple(times_around(tile.integration_time, mapped, _SPREAD, _NUM_TIMES)) for tile in tiles)
