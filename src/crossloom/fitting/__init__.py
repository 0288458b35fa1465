"""Fitting: a device model from measurements, with goodness of fit and the uncertainty of every number."""

from crossloom.fitting.config import FitConfig
from crossloom.fitting.device import fit_device
from crossloom.fitting.fit import DeviceFit, FittedEffect, FittedParameter, Goodness, SpreadPoint

__all__ = [
    "DeviceFit",
    "FitConfig",
    "FittedEffect",
    "FittedParameter",
    "Goodness",
    "SpreadPoint",
    "fit_device",
]
