"""One matrix in the loop: the chips give its sums, the weights read back give its gradient."""

from math import sqrt

import torch
from torch import nn

from crossloom.graph import Matrix, activate, multiply
from crossloom.programming import LayerCorrection
from crossloom.quant import QuantizedLayer, code_range

_ROUNDING = 1 / 12  # variance of what rounding takes off


class LoopLayer(nn.Module):
    """A trained layer: what its cells hold, what training wants of them, and its digital scale and bias.

    wish: [out, ...], in units of the layer's integers; None where cells stay.  gain: [out], times the layer's step.
    shift: [out], added to the bias, in units of `unit`, the layer's usual output.  Both None where they stay.
    readback: [out, ...], what the cells hold; before they are written, what is planned.
    """

    readback: torch.Tensor
    step: torch.Tensor

    def __init__(
        self,
        node: Matrix,
        layer: QuantizedLayer,
        correction: LayerCorrection,
        trains_cells: bool,
        trains_digital: bool,
    ) -> None:
        super().__init__()
        self.node, self.layer, self.correction = node, correction.adjusted(layer), correction
        self.integers = layer.weight
        self.top = code_range(layer.weight_bits, True)[1]
        self.is_written, self.threshold = False, 0.5
        weight = layer.weight.float()
        self.register_buffer("readback", weight)
        self.wish = nn.Parameter(weight.clone()) if trains_cells else None
        size = len(weight)
        self.gain = nn.Parameter(torch.ones(size)) if trains_digital else None
        self.shift = nn.Parameter(torch.zeros(size)) if trains_digital else None
        step = (self.layer.weight_step * self.layer.input_step).float()
        power = weight.flatten(1).square().sum(1).mean().item() * layer.input_power
        self.register_buffer("step", step)
        self.unit = float(step.abs().mean()) * sqrt(max(power, 1e-12))

    @torch.no_grad()
    def take(
        self, integers: torch.Tensor, readback: torch.Tensor, changed: torch.Tensor, hysteresis: float
    ) -> None:
        """Note what cells shall hold, and what they do; of weights that were written, training begins there.

        changed: bool [out, ...].  hysteresis: in units of the error that writing leaves.
        """
        if (
            not self.is_written
        ):  # once and for all: what was close enough to stay must not become due by itself
            error = (readback - integers).square().mean().item()
            self.threshold = max(0.5, hysteresis * sqrt(error + _ROUNDING))
        self.integers, self.readback, self.is_written = integers, readback, True
        if self.wish is not None:
            self.wish.copy_(torch.where(changed, readback, self.wish))

    def due(self) -> torch.Tensor:
        """Weights that are to be rewritten, bool [out, ...]."""
        if self.wish is None:
            return torch.zeros_like(self.readback, dtype=torch.bool)
        wish = self.wish.detach()
        reachable = wish.clamp(
            -self.top, self.top
        )  # what cells have beyond their range is no reason to write
        distance = torch.minimum((wish - self.readback).abs(), (reachable - self.readback).abs())
        return distance > self.threshold

    def planned(self) -> torch.Tensor:
        """The integers that cells shall hold after the next writing, int16 [out, ...]."""
        if self.wish is None:
            return self.integers
        wanted = self.wish.detach().round().clamp(-self.top, self.top).to(torch.int16)
        return wanted if not self.is_written else torch.where(self.due(), wanted, self.integers)

    def forward(self, values: torch.Tensor, chip_sums: torch.Tensor | None) -> torch.Tensor:
        """The layer's output, with the chip's sums (in the layout of the output) where there are any.

        The value is what the chips say, plus what planned rewritings would change; the gradient is that of the model:
        of the weights read back, straight through rounding, nothing where inputs clip.
        """
        codes = _codes(self.layer, values)
        pending = self._pending()
        weight = self.readback if pending is None else self.readback + pending
        if self.wish is not None:
            weight = weight + (self.wish - self.wish.detach())
        sums = multiply(self.node, codes, weight, None)
        if chip_sums is not None:
            base = sums if pending is None else multiply(self.node, codes, self.readback, None)
            sums = chip_sums.to(sums.dtype) + (sums - base.detach())
        return activate(self.node, self._digital(sums))

    @torch.no_grad()
    def move(self, change: torch.Tensor) -> None:
        """Change what training wants of the weights, within what cells can hold, or hold already."""
        assert self.wish is not None
        self.wish += change
        self.wish.clamp_(self.readback.clamp(max=-self.top), self.readback.clamp(min=self.top))

    def corrected(self) -> LayerCorrection:
        """What the digital unit has to do now."""
        if self.gain is None or self.shift is None:
            return self.correction
        with torch.no_grad():
            scale = self.gain.double()
            scale = scale if self.correction.scale is None else scale * self.correction.scale
            bias = self.shift * self.unit
            bias = bias if self.layer.bias is None else bias + self.layer.bias
        return LayerCorrection(self.correction.tiles, scale.clone(), bias.clone())

    def _pending(self) -> torch.Tensor | None:
        """What the next writing would add to the weights, if it were exact; None for nothing."""
        if self.wish is None:
            return None
        with torch.no_grad():
            if not self.is_written:
                return self.planned() - self.readback
            due = self.due()
            return torch.where(due, self.planned() - self.readback, 0.0) if due.any() else None

    def _digital(self, sums: torch.Tensor) -> torch.Tensor:
        shape = [1, -1, *[1] * (sums.dim() - 2)] if self.node.window is not None else [-1]
        step = self.step if self.gain is None else self.step * self.gain
        sums = sums * step.view(shape)
        bias = self.layer.bias
        if self.shift is not None:
            bias = self.shift * self.unit if bias is None else bias + self.shift * self.unit
        return sums if bias is None else sums + bias.view(shape)


def _codes(layer: QuantizedLayer, values: torch.Tensor) -> torch.Tensor:
    """Codes of the layer's input; the gradient goes straight through, but not where they clip."""
    clipped = (values / layer.input_step).clamp(*layer.input_range)
    return clipped + (layer.quantize_input(values.detach()) - clipped.detach())
