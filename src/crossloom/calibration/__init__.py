"""Calibration: plan, measure, fit. What the digital unit and the readout's registers can make good."""

from crossloom.calibration.calibrate import MeasuredErrors, calibrate, calibrate_by, measure_errors
from crossloom.calibration.calibration import Calibration, FitReport
from crossloom.calibration.columns import Line, fit_lines
from crossloom.calibration.config import CalibrationConfig, ConverterRange
from crossloom.calibration.observing import fixed_batch
from crossloom.calibration.plan import CalibrationPlan, PlannedLayer, plan_calibration
from crossloom.calibration.ranging import choose_integration_times

__all__ = [
    "Calibration",
    "CalibrationConfig",
    "CalibrationPlan",
    "ConverterRange",
    "FitReport",
    "Line",
    "MeasuredErrors",
    "PlannedLayer",
    "calibrate",
    "calibrate_by",
    "choose_integration_times",
    "fit_lines",
    "fixed_batch",
    "measure_errors",
    "plan_calibration",
]
