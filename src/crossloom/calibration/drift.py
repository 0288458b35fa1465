"""Drift compensation: one scale that gives measured sums the mean size that they should have.

The gain of the chips is that of least squares of measured sums x on exact ones y, g = Σ x y / Σ y²: noise of the
measurement does not bias it, so 1/g restores the mean. A few vectors suffice, for it is one number for thousands of
sums; cells that all drift as t^-ν are compensated by t^ν.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch

from crossloom.calibration.measuring import LayerSums
from crossloom.programming import LayerCorrection


def gain_of(sums: Sequence[LayerSums]) -> float:
    """By how much the chips' sums are larger than they should be, all layers weighing alike; 1 without a signal."""
    across = power = 0.0
    for layer in sums:
        wanted = layer.whole * layer.steps
        size = wanted.square().sum().item()
        if size:
            measured = layer.corrected(LayerCorrection()) * layer.steps
            across += (measured * wanted).sum().item() / size
            power += 1.0
    gain = across / power if power else 1.0
    return gain if gain > 0 else 1.0


def compensate(
    fit: Mapping[str, LayerSums], corrections: Mapping[str, LayerCorrection], is_common: bool
) -> dict[str, LayerCorrection]:
    """Corrections with a scale: one for the whole system, or one for every layer."""
    common = gain_of(list(fit.values()))
    scaled = {}
    for name, sums in fit.items():
        gain = common if is_common else gain_of([sums])
        steps = torch.full((sums.whole.shape[1],), 1 / gain, dtype=torch.float64)
        scaled[name] = replace(corrections[name], scale=steps)
    return scaled
