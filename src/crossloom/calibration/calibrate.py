"""The stage: programmed chips and data become a calibration. Plan, measure, fit."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from crossloom.calibration.calibration import Calibration, FitReport
from crossloom.calibration.channels import fit_channels
from crossloom.calibration.columns import fit_columns
from crossloom.calibration.config import CalibrationConfig
from crossloom.calibration.drift import compensate
from crossloom.calibration.measuring import LayerSums, measure_layer
from crossloom.calibration.plan import CalibrationPlan, PlannedLayer, plan_calibration
from crossloom.calibration.times import find_times
from crossloom.hardware import Draw
from crossloom.programming import Corrections, LayerCorrection, ProgrammedChips
from crossloom.progress import track
from crossloom.runtime import Batch

Sums = Mapping[str, LayerSums]


def calibrate(chips: ProgrammedChips, data: Batch, config: CalibrationConfig | None = None) -> Calibration:
    """Measure chips beside exact arithmetic, and fit what the digital unit can make good.

    A fit that does not lower the error of what was held out is not applied, and the report says so. Corrections
    that the chips carry already play no part.

    Args:
        data: inputs as for `run`: a tensor [sample, ...], or a tuple of them for several inputs. No labels.
        config: what to fit; gains and offsets of columns unless told otherwise.

    Raises DataError when data do not fit the model or are too few, before any MVM.
    """
    return calibrate_by(plan_calibration(chips, data, config))


def calibrate_by(plan: CalibrationPlan) -> Calibration:
    """Do what a plan says."""
    work = _Work(plan)
    before = work.errors()
    if plan.config.ranges is not None:
        work.offer("ranges", lambda: _find_all_times(plan, work))
    if plan.config.drift is not None:
        is_common = plan.config.drift == "system"
        work.offer("drift", lambda: compensate(work.fit, work.corrections, is_common))
    if plan.config.columns:
        fitted = work.corrections
        work.offer("columns", lambda: {name: fit_columns(work.fit[name], fitted[name]) for name in work.fit})
    after = work.errors()
    if plan.config.channels:
        work.take_channels()
    digests = plan.chips.digests
    system = plan.chips.placement.system.name
    corrections = Corrections(system, *digests, {**work.corrections})
    return Calibration(corrections, plan.config, before, after, tuple(work.reports), plan.num_mvms)


@dataclass(frozen=True)
class MeasuredErrors:
    """The error of every layer against exact sums (NMSE), and the MVMs of tiles that measuring took."""

    of_layers: Mapping[str, float]
    num_mvms: int

    @property
    def worst(self) -> float:
        """Of the worst layer; 0 where no layer is on the chips."""
        return max(self.of_layers.values(), default=0.0)


def measure_errors(
    chips: ProgrammedChips, data: Batch, config: CalibrationConfig | None = None
) -> MeasuredErrors:
    """Measure chips as they are, with the corrections that they carry; `config` says on how many vectors."""
    plan = plan_calibration(chips, data, config)
    found = {} if chips.corrections is None else chips.corrections.layers
    errors, num_mvms = {}, 0
    for layer in plan.layers:
        correction = found.get(layer.node.name, LayerCorrection())
        sums = measure_layer(plan.chips, layer.node, correction, layer.held_out, Draw(plan.config.seed))
        errors[layer.node.name] = sums.error(correction)
        num_mvms += len(layer.tiles) * layer.held_out.num_vectors
    return MeasuredErrors(errors, num_mvms)


@dataclass
class _Work:
    """Measurements so far, the corrections that hold, and what each fit did."""

    plan: CalibrationPlan
    corrections: dict[str, LayerCorrection] = field(default_factory=dict)
    reports: list[FitReport] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.corrections = {layer.node.name: LayerCorrection() for layer in self.plan.layers}
        layers = track(self.plan.layers, "measuring", len(self.plan.layers))
        pairs = [(layer.node.name, *self._measure(layer, LayerCorrection())) for layer in layers]
        self.fit = {name: fit for name, fit, _ in pairs}
        self.held_out = {name: held for name, _, held in pairs}
        self.is_exact = {name: fit.is_exact and held.is_exact for name, fit, held in pairs}

    def errors(self) -> dict[str, float]:
        """The error of every layer on what was held out."""
        return {name: sums.error(self.corrections[name]) for name, sums in self.held_out.items()}

    def offer(self, fit: str, propose: Callable[[], Mapping[str, LayerCorrection]]) -> None:
        """Take, layer by layer, what a fit proposes where it helps; a layer without any error is left alone."""
        for name, proposed in propose().items():
            if self.is_exact[name] or proposed is self.corrections[name]:
                continue
            before = self.held_out[name].error(self.corrections[name])
            pair = (self.fit[name], self.held_out[name])
            if fit == "ranges":
                pair = self._measure(self._planned(name), proposed)
            after = pair[1].error(proposed)
            self.reports.append(FitReport(name, fit, before, after, after < before))
            if after < before:
                self.corrections[name] = proposed
                self.fit[name], self.held_out[name] = pair

    def take_channels(self) -> None:
        """The statistics of channels, where they help."""
        for name, found in fit_channels(self.plan, self.corrections).items():
            helps = found.after < found.before
            if found.before == found.after:
                continue
            self.reports.append(FitReport(name, "channels", found.before, found.after, helps))
            if helps:
                self.corrections[name] = found.correction

    def _planned(self, name: str) -> PlannedLayer:
        return next(layer for layer in self.plan.layers if layer.node.name == name)

    def _measure(self, layer: PlannedLayer, correction: LayerCorrection) -> tuple[LayerSums, LayerSums]:
        chips, seed = self.plan.chips, self.plan.config.seed
        held_draw = Draw(seed, layer.fit.num_samples)
        return (
            measure_layer(chips, layer.node, correction, layer.fit, Draw(seed)),
            measure_layer(chips, layer.node, correction, layer.held_out, held_draw),
        )


def _find_all_times(plan: CalibrationPlan, work: _Work) -> dict[str, LayerCorrection]:
    layers = [layer for layer in plan.layers if layer.has_ranges]
    return {
        layer.node.name: find_times(plan, layer, work.fit[layer.node.name])
        for layer in track(layers, "choosing integration times", len(layers))
    }
