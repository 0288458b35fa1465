"""Noise of reading: cells are uncertain anew in every conversion."""

from typing import Annotated, Literal, Self

import torch
from pydantic import Field

from crossloom.circuits import effective_array, multiply
from crossloom.errors import ConfigError
from crossloom.spec import DeviceSpec, MacroSpec
from crossloom.training.effects.cell_states import cell_with, read_noise, shared_read_noise
from crossloom.training.effects.conversion import Conversion
from crossloom.training.effects.effect import Share, SumEffect


class ReadNoise(SumEffect):
    """The read noise of a device model, at the conductance that each cell has in this pass.

    Independent noise of the cells is exactly one Gaussian per conversion, of variance
    gain^2 sum_i x_i^2 var(w_i), with var(w) the sum of the variances of the weight's cells: what `circuits` draws for
    a simulated chip. Where no effect made cells, they are taken at the conductances that the weights ask for, in
    pairs. Behind wires, cells count with the conductance that is seen of them, and what they add as it arrives.
    device: None for that of the system's cells.  elapsed: s since they were programmed.  share: of the noise.
    """

    kind: Literal["read_noise"] = "read_noise"
    device: DeviceSpec | None = None
    elapsed: Annotated[float, Field(ge=0)] = 1.0
    share: Share = 1.0

    def with_share(self, share: float) -> Self:
        return self.model_copy(update={"share": self.share * share})

    def check(self, macro: MacroSpec) -> None:
        cell = cell_with(macro.cell, self.device)
        window = torch.tensor([[cell.g_min, cell.g_max]])
        noise = read_noise(cell, window, self.elapsed)
        if noise is None or not noise.any():
            raise ConfigError(
                "read_noise: these cells are read without any; give ReadNoise(device=...) with a device that has some"
            )

    @torch.no_grad()
    def on_sums(self, sums: torch.Tensor, conversion: Conversion) -> torch.Tensor:
        spread = self._variance(conversion).clamp_(min=0).sqrt_()
        if conversion.gain is not None:
            spread = spread.mul_(conversion.gain.to(spread))
        drawn = torch.randn_like(sums)
        return sums.addcmul_(drawn, spread, value=self.share)

    def _variance(self, conversion: Conversion) -> torch.Tensor:
        """Of every conversion, in levels squared: [vector * cycle, output or 1, *positions]."""
        cell = cell_with(conversion.macro.cell, self.device)
        shared, groups = shared_read_noise(cell.device), conversion.groups
        if shared is None:
            power = conversion.power()
            return multiply(power, self._of_weights(conversion).to(power.values), None, groups)
        # All weights alike: the squares of the inputs are only added up.
        ones = conversion.matrix.new_ones(groups, conversion.matrix.shape[1])
        each = _cells_per_weight(conversion) * (shared / conversion.level_step) ** 2
        variance = multiply(conversion.power(), ones, None, groups).mul_(each / conversion.row_copies**2)
        return variance if groups == 1 else variance.repeat_interleave(len(conversion.matrix) // groups, 1)

    def _of_weights(self, conversion: Conversion) -> torch.Tensor:
        """var(w), [output, input], in levels squared."""
        cell, step = cell_with(conversion.macro.cell, self.device), conversion.level_step
        if conversion.conductance is not None and conversion.wiring is not None:
            noise = read_noise(cell, conversion.conductance, self.elapsed)
            found = effective_array(conversion.conductance, noise, conversion.wiring, step).variance
            assert found is not None
            return found.T / conversion.row_copies**2
        above = conversion.matrix.abs().mul_(step).add_(cell.g_min)
        below = torch.full_like(above[:1, :1], cell.g_min)
        parts = [read_noise(cell, part, self.elapsed) for part in (above, below)]
        variance = sum((part / step).square() for part in parts if part is not None)
        assert isinstance(variance, torch.Tensor)
        return variance / conversion.row_copies


def _cells_per_weight(conversion: Conversion) -> int:
    wiring = conversion.wiring
    if conversion.conductance is not None and wiring is not None:
        return wiring.rows_per_input * wiring.columns_per_output
    return 2 * conversion.row_copies
