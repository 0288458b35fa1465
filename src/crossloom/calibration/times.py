"""Integration times on the chips themselves: by their measured error, or by statistics and their measured gain."""

import torch

from crossloom.calibration.drift import gain_of
from crossloom.calibration.measuring import LayerSums, measure_layer
from crossloom.calibration.plan import CalibrationPlan, PlannedLayer
from crossloom.calibration.ranging import TileRange
from crossloom.hardware import Draw
from crossloom.programming import LayerCorrection, TileCorrection


def find_times(plan: CalibrationPlan, layer: PlannedLayer, present: LayerSums) -> LayerCorrection:
    """The correction with an integration time for every tile of a layer."""
    method = plan.config.ranges
    assert method is not None
    if method == "mse":
        return _least_error(plan, layer)
    mapped, gain = plan.chips.placement.mapped, gain_of([present])
    times = {
        number: TileRange(mapped, mapped.tile(number), layer.fit).choose(method, gain)
        for number in layer.tiles
    }
    return _with_times(times)


def _least_error(plan: CalibrationPlan, layer: PlannedLayer) -> LayerCorrection:
    """Try the planned times of all tiles side by side, and keep each tile's best."""
    best: dict[int, tuple[float, float]] = {}
    for turn in range(max(map(len, layer.times))):
        tried = {
            number: times[min(turn, len(times) - 1)]
            for number, times in zip(layer.tiles, layer.times, strict=True)
        }
        sums = measure_layer(plan.chips, layer.node, _with_times(tried), layer.fit, Draw(plan.config.seed))
        for number, error in _errors(plan, sums).items():
            if number not in best or error < best[number][0]:
                best[number] = (error, tried[number])
    return _with_times({number: time for number, (_, time) in best.items()})


def _errors(plan: CalibrationPlan, sums: LayerSums) -> dict[int, float]:
    """Every tile's error; less what a common gain explains, where that will be made good digitally."""
    is_scaled = plan.config.columns or plan.config.drift is not None
    errors = {}
    for part, exact in zip(sums.parts, sums.exact, strict=True):
        measured = part.sums.double() / part.scale
        power = measured.square().sum()
        gain = (measured * exact).sum() / power if is_scaled and power > 0 else torch.tensor(1.0)
        errors[part.number] = (gain * measured - exact).square().sum().item()
    return errors


def _with_times(times: dict[int, float]) -> LayerCorrection:
    return LayerCorrection({number: TileCorrection(time) for number, time in times.items()})
