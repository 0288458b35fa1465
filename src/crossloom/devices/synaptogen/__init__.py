"""Synaptogen: cells whose every cycle is drawn from the statistics of measured ReRAM devices.

Facts and figures: T. Hennen et al., doi 10.1109/TED.2024.3427616 and 10.3389/fnins.2022.941753; the published fit
ships with its licence (MIT) in `published/`.
"""

from crossloom.devices.synaptogen.cycles import Cycles, Features, stationary_covariance
from crossloom.devices.synaptogen.device import SynaptogenDevice
from crossloom.devices.synaptogen.mixture_iv import MixtureIV
from crossloom.devices.synaptogen.published_fit import published_fit
from crossloom.devices.synaptogen.read_out import column_currents, column_noise, noise_variance

__all__ = [
    "Cycles",
    "Features",
    "MixtureIV",
    "SynaptogenDevice",
    "column_currents",
    "column_noise",
    "noise_variance",
    "published_fit",
    "stationary_covariance",
]
