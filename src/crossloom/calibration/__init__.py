"""Calibration: measure, then fit. Here: the readout's ranges, from calibration data."""

from crossloom.calibration.ranging import choose_integration_times

__all__ = ["choose_integration_times"]
