"""What is wrong with converters: offsets, gains, and a range that ends early."""

from typing import Annotated, Literal, Self

import torch
from pydantic import Field

from crossloom.circuits import draw_converters
from crossloom.errors import ConfigError
from crossloom.spec import MacroSpec, ReadoutSpec
from crossloom.training.effects.cell_states import global_generator
from crossloom.training.effects.conversion import Conversion
from crossloom.training.effects.effect import Share, SumEffect

Spread = Annotated[float, Field(ge=0)]


class ConverterOffsets(SumEffect):
    """Converters with offsets and gain errors of their own: every pass draws those of another chip.

    Drawn as for simulated chips, so columns that take turns at one converter share what is wrong with it, and ramps and
    comparators count. sigma: of the offset, codes.  gain_error: a share.  None takes the system's.
    """

    kind: Literal["converter_offsets"] = "converter_offsets"
    sigma: Spread | None = None
    gain_error: Spread | None = None
    share: Share = 1.0

    def with_share(self, share: float) -> Self:
        return self.model_copy(update={"share": self.share * share})

    def check(self, macro: MacroSpec) -> None:
        drawn = draw_converters(
            _readout(macro.readout, self.sigma, self.gain_error),
            1,
            lambda _: torch.Generator().manual_seed(0),
        )
        if drawn.offset is None and drawn.gain is None:
            raise ConfigError(
                "converter_offsets: these converters have neither offsets nor gain errors; give sigma (codes) or "
                "gain_error (a share)"
            )

    @torch.no_grad()
    def on_sums(self, sums: torch.Tensor, conversion: Conversion) -> torch.Tensor:
        wiring, num_outputs = conversion.wiring, sums.shape[1]
        each = wiring.columns_per_output if wiring else 1
        readout = _readout(conversion.macro.readout, self.sigma, self.gain_error)
        generator = global_generator(sums.device)
        drawn = draw_converters(readout, num_outputs * each, lambda _: generator)
        shape = (-1, *[1] * (sums.dim() - 2))
        if drawn.gain is not None:
            sums = sums.mul_((1 + self.share * (drawn.gain[::each] - 1)).to(sums).view(shape))
        if drawn.offset is not None:
            sums = sums.add_((self.share * drawn.offset[::each]).to(sums).view(shape))
        return sums


class ConverterClipping(SumEffect):
    """Converters whose range ends before their codes do: at `full_scale` of the lowest and of the highest code.

    An integrator runs into its supply, and a column's current into what its driver can give, before the last code; by
    how much is rarely published, and differs from chip to chip. A network that was trained with less range keeps its
    sums where every chip still converts them. Rounding to codes comes after it. Gradients of sums between the early end
    and the last code go straight through. Comes last: noise and offsets are clipped too.
    """

    kind: Literal["converter_clipping"] = "converter_clipping"
    full_scale: Annotated[float, Field(gt=0, lt=1)]

    def with_share(self, share: float) -> Self:
        return self.replace(full_scale=1 - share * (1 - self.full_scale))

    def check(self, macro: MacroSpec) -> None:
        if macro.readout.code_range is None:
            raise ConfigError(
                "converter_clipping: ideal converters have no end of their range; give readout.bits"
            )

    @torch.no_grad()
    def on_sums(self, sums: torch.Tensor, conversion: Conversion) -> torch.Tensor:
        code_range = conversion.macro.readout.code_range
        if code_range is None or conversion.gain is None:
            return sums
        return sums.clamp_(self.full_scale * code_range[0], self.full_scale * code_range[1])


def _readout(readout: ReadoutSpec, offset: float | None, gain_error: float | None) -> ReadoutSpec:
    """The converters to draw, without what changes single codes."""
    wanted = {"offset": offset, "gain_error": gain_error, "differential_nonlinearity": 0.0}
    return readout.model_copy(update={name: value for name, value in wanted.items() if value is not None})
