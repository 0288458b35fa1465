"""Calibration: plan, measure, fit. What the digital unit and the readout's registers can make good."""

from crossloom.calibration.calibrate import MeasuredErrors, calibrate, calibrate_by, measure_errors
from crossloom.calibration.calibration import Calibration, FitReport
from crossloom.calibration.columns import Line, fit_columns, fit_lines
from crossloom.calibration.config import CalibrationConfig, ConverterRange
from crossloom.calibration.measuring import LayerSums, Wanted, exact_sums, measure_settings
from crossloom.calibration.observing import draw_vectors, fixed_batch, observe
from crossloom.calibration.plan import CalibrationPlan, PlannedLayer, plan_calibration
from crossloom.calibration.propagation import Arrival, propagate
from crossloom.calibration.ranging import TileRange, choose_integration_times

__all__ = [
    "Arrival",
    "Calibration",
    "CalibrationConfig",
    "CalibrationPlan",
    "ConverterRange",
    "FitReport",
    "LayerSums",
    "Line",
    "MeasuredErrors",
    "PlannedLayer",
    "TileRange",
    "Wanted",
    "calibrate",
    "calibrate_by",
    "choose_integration_times",
    "draw_vectors",
    "exact_sums",
    "fit_columns",
    "fit_lines",
    "fixed_batch",
    "measure_errors",
    "measure_settings",
    "observe",
    "plan_calibration",
    "propagate",
]
