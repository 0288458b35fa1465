"""What a layer's chips answered beside what they should have: signal, error, and use of the converters."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from crossloom.artefacts import saved
from crossloom.hardware import CodeCounts, Reading


@dataclass(frozen=True)
class LayerProbe:
    """What a hook sees of one layer and one batch.

    inputs: the layer's input.  ideal: its output by exact integers.  chip: its output by the chips.
    """

    layer: str
    inputs: torch.Tensor
    ideal: torch.Tensor
    chip: torch.Tensor


@saved
@dataclass(frozen=True)
class LayerQuality:
    """How faithful one layer is, given its own input.

    signal_power, error_power: mean squares of the ideal output, and of chip less ideal.  codes: how often
    each code came from a converter, None where converters are ideal.
    """

    layer: str
    signal_power: float
    error_power: float
    lowest_code: int | None = None
    code_counts: torch.Tensor | None = field(default=None, repr=False)

    @property
    def snr_db(self) -> float | None:
        """Signal-to-noise ratio in dB; None when there is no error at all."""
        if self.error_power == 0:
            return None
        return (
            10 * torch.log10(torch.tensor(max(self.signal_power, 1e-300) / self.error_power).double()).item()
        )

    @property
    def clipping_rate(self) -> float | None:
        """Share of conversions that gave the lowest or the highest code."""
        if self.code_counts is None:
            return None
        ends = self.code_counts[-1] + (self.code_counts[0] if (self.lowest_code or 0) < 0 else 0)
        return (ends / self.code_counts.sum().clamp(min=1)).item()

    @property
    def adc_use(self) -> float | None:
        """How many of the converter's bits carry information: entropy of the codes, as a share of its bits."""
        if self.code_counts is None:
            return None
        shares = self.code_counts.double() / self.code_counts.sum().clamp(min=1)
        entropy = -(shares * shares.clamp(min=1e-300).log2()).sum()
        return (entropy / torch.log2(torch.tensor(len(shares)).double())).item()


def average(parts: Sequence[LayerQuality]) -> LayerQuality:
    """The quality of one layer over several batches of one size: the steps of a recurrent layer."""
    if len(parts) == 1:
        return parts[0]
    counts = [part.code_counts for part in parts if part.code_counts is not None]
    return LayerQuality(
        parts[0].layer,
        sum(part.signal_power for part in parts) / len(parts),
        sum(part.error_power for part in parts) / len(parts),
        parts[0].lowest_code,
        torch.stack(counts).sum(0) if counts else None,
    )


def measure(layer: str, ideal: torch.Tensor, chip: torch.Tensor, readings: Sequence[Reading]) -> LayerQuality:
    """The quality of one layer on one batch."""
    signal = ideal.double().square().mean().item()
    error = (chip.double() - ideal.double()).square().mean().item()
    counts = [reading.codes for reading in readings if reading.codes is not None]
    if not counts:
        return LayerQuality(layer, signal, error)
    return LayerQuality(layer, signal, error, counts[0].lowest, _joined(counts))


def _joined(counts: Sequence[CodeCounts]) -> torch.Tensor:
    return torch.stack([count.counts for count in counts]).sum(0)
