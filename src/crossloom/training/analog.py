"""One matrix operation as a macro does it, with the steps that it learns."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from torch import nn

from crossloom.errors import ConfigError
from crossloom.hardware import Codes, WindowedCodes
from crossloom.quant import LearnedLayer
from crossloom.training.cells import cells_of, decode, matrix_of_cells, planes_of
from crossloom.training.config import AnalogConfig
from crossloom.training.effects import (
    CellEffect,
    Conversion,
    Effect,
    MatrixEffect,
    SumEffect,
    scale_effects,
)
from crossloom.training.plan import LayerPlan
from crossloom.training.quantisers import (
    along_outputs,
    first_weight_step,
    integers_of,
    scale_gradient,
    step_scale,
)
from crossloom.training.starting import (
    check_first_batch,
    check_may_begin,
    first_gain,
    first_input_step,
    is_one_of_several,
)
from crossloom.training.uncompiled import uncompiled
from crossloom.windows import Window


@dataclass(frozen=True)
class Tile:
    """What the cells of one row of tiles hold: the matrix [output, input] (levels, with its error) and how it is read.

    conductance: S, [row, column], behind the matrix; None where no effect made cells.  window, groups: of the product;
    None and 1 for vectors.
    """

    matrix: torch.Tensor
    conductance: torch.Tensor | None
    window: Window | None
    groups: int


@dataclass(frozen=True)
class Held:
    """A matrix in cells, as one pass has them: errors are drawn, and stay the same for every read.

    copies: of every row of tiles; answers are averaged over them.  effects: those that every conversion draws anew.
    """

    copies: tuple[tuple[Tile, ...], ...]
    effects: tuple[SumEffect, ...]


class AnalogMatrix(nn.Module):
    """The quantisers, cells and converters of one layer: what comes between its input and its sums.

    Parameters `input_step`, `weight_step` ([] or [output]) and `output_step` (of the converter, in units of the layer's
    output; None where converters are ideal) are set by the first batch, when `is_ready` is still 0.
    """

    is_ready: torch.Tensor
    has_sign: torch.Tensor
    is_noisy: bool | None

    def __init__(self, plan: LayerPlan, config: AnalogConfig, weight: torch.Tensor, knows_sign: bool) -> None:
        super().__init__()
        self.plan, self.effects, self._knows_sign = plan, config.effects, knows_sign
        self.noise_share, self.is_noisy = 1.0, None  # effects are on while training, unless told otherwise
        step = first_weight_step(
            weight, plan.largest_weight, config.per_channel, config.weight_percentile, plan.is_binary
        )
        # A layer that is frozen stays as it is, and so do the steps that make integers of its weights.
        device, learns = weight.device, config.learns_steps and weight.requires_grad
        self.weight_step = nn.Parameter(step.to(device).float(), learns)
        self.input_step = nn.Parameter(torch.ones((), device=device), learns)
        has_codes = plan.macro.readout.code_range is not None
        self.output_step = nn.Parameter(torch.ones((), device=device), learns) if has_codes else None
        self.register_buffer("is_ready", torch.tensor(False, device=device))
        self.register_buffer("has_sign", torch.tensor(plan.activations_are_signed, device=device))

    def extra_repr(self) -> str:
        bits = f"weight_bits={self.plan.scheme.weight_bits}, activation_bits={self.plan.activation_bits}"
        effects = ", ".join(map(repr, self.effects))
        return f"{bits}, {self.plan.scheme.input_mode.kind}, hardware={self.plan.digest}, effects=({effects})"

    def set_noise_share(self, share: float) -> None:
        """Turn all effects to this share of their strength, 0 (off) to 1."""
        self.noise_share = share

    def integers(self, weight: torch.Tensor) -> torch.Tensor:
        """The integers that cells shall hold, [output, ...]; gradients go straight through."""
        step = self.weight_step.abs()
        scale = step_scale(weight.numel() // max(step.numel(), 1), self.plan.largest_weight)
        step = scale_gradient(step, scale)
        return integers_of(weight, step, self.plan.largest_weight, self.plan.is_binary)

    @uncompiled
    def forward(self, values: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """The layer's product without its bias; values [sample, channel, *image], or [vector, input].

        Computed in float32 at least, and given back in the type of `values`.
        """
        self.begin(values, weight)
        return self.read(values, self.hold(weight))

    def begin(self, values: torch.Tensor, weight: torch.Tensor) -> None:
        """Let these values set the steps, unless a batch has done so before.

        Raises DataError when there are none, or values or weights are not finite: steps would be wrong for ever.
        """
        if not self.is_ready:
            check_may_begin(self.plan.name, self.training, self.__dict__.get("_is_replica", False))
            check_first_batch(self.plan.name, values, weight)
            integers = self.integers(weight.detach().float()).flatten(1)
            self._begin(self._laid_out(values.detach().float()), integers)
        elif is_one_of_several() and bool(self.has_sign) != self.plan.activations_are_signed:
            self._take_sign()

    def hold(self, weight: torch.Tensor) -> Held:
        """The cells of `weight` [output, ...]: what goes wrong with them is drawn now, for all reads of one pass."""
        integers = self.integers(weight.float()).flatten(1)
        effects = self._active_effects()
        differs = any(not isinstance(effect, MatrixEffect) for effect in effects)
        copies = self.plan.scheme.copies if differs else 1
        tiles = tuple(self._tiles(integers, span, effects, copies) for span in self.plan.spans)
        return Held(tiles, tuple(effect for effect in effects if isinstance(effect, SumEffect)))

    def read(self, values: torch.Tensor, held: Held) -> torch.Tensor:
        """The products of `values`, as `forward` takes them, with what is held. The steps must have been set."""
        laid_out = self._laid_out(values.float())
        answers = [
            self._answer(laid_out, span, tile, held.effects)
            for span, copies in zip(self.plan.spans, held.copies, strict=True)
            for tile in copies
        ]
        answer = answers[0] if len(answers) == 1 else torch.stack(answers).sum(0) / len(held.copies[0])
        return answer.to(values.dtype) if values.is_floating_point() else answer

    def steps(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        """The steps of input, weight and converter; above zero, wherever an optimiser has put them."""
        output = None if self.output_step is None else self.output_step.abs()
        return self.input_step.abs(), self.weight_step.abs(), output

    @torch.no_grad()
    def stood_for(self, weight: torch.Tensor) -> torch.Tensor:
        """What the cells of `weight` [output, ...] stand for: integers times steps, in the type of `weight`.

        Raises ConfigError when no batch has set the steps.
        """
        self._check_ready()
        return (self.integers(weight.float()) * along_outputs(self.steps()[1], weight)).to(weight.dtype)

    @torch.no_grad()
    def learned(self) -> LearnedLayer:
        """What `compile` has to know of the layer. Raises ConfigError when no batch has set the steps."""
        self._check_ready()
        input_step, weight_step, output_step = self.steps()
        time = None if output_step is None else self.plan.integration_time(*self.steps()).item()  # type: ignore[arg-type]
        return LearnedLayer(
            weight_step=weight_step,
            weight_bits=self.plan.scheme.weight_bits,
            input_step=input_step.item(),
            input_bits=self.plan.activation_bits,
            input_is_signed=self.plan.activations_are_signed,
            output_step=None if output_step is None else output_step.item(),
            integration_time=time,
        )

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        super()._load_from_state_dict(*args, **kwargs)
        self._take_sign()

    def _apply(self, fn: Callable[[torch.Tensor], torch.Tensor], recurse: bool = True) -> Self:
        """What `.to()` and its like do, but steps stay float32, whatever type weights take."""

        def keep_type(tensor: torch.Tensor) -> torch.Tensor:
            moved = fn(tensor)
            return moved if moved.dtype == tensor.dtype else tensor.to(moved.device)

        return super()._apply(keep_type, recurse)

    def _check_ready(self) -> None:
        if not self.is_ready:
            raise ConfigError(
                f"{self.plan.name}: no batch has set its steps yet; run the model on some inputs first"
            )

    def _take_sign(self) -> None:
        """Plan for the inputs that the buffer tells of; one that holds nothing tells nothing."""
        if not self.has_sign.is_meta:
            self.plan = replace(self.plan, activations_are_signed=bool(self.has_sign))

    def _active_effects(self) -> tuple[Effect, ...]:
        is_on = self.training if self.is_noisy is None else self.is_noisy
        return scale_effects(self.effects, self.noise_share) if is_on else ()

    def _laid_out(self, values: torch.Tensor) -> torch.Tensor:
        """Vectors, where tiles are cut within a channel: then windows cannot slide over parts of them."""
        window = self.plan.shape.window
        if window is None or self.plan.is_cut_between_channels:
            return values
        return WindowedCodes(values, len(values), window).dense().values

    def _tiles(
        self, integers: torch.Tensor, span: tuple[int, int], effects: tuple[Effect, ...], copies: int
    ) -> tuple[Tile, ...]:
        """What the copies of one row of tiles hold: errors of weights are shared, those of cells are not."""
        plan, groups = self.plan, self.plan.shape.groups
        window = plan.shape.window if plan.is_cut_between_channels else None
        integers = integers[:, span[0] : span[1]]
        has_cells = not plan.is_whole or any(isinstance(effect, CellEffect) for effect in effects)
        if plan.is_dense(has_cells):
            integers, groups = _block_diagonal(integers, groups), 1
        disturbed = integers
        for effect in effects:
            if isinstance(effect, MatrixEffect):
                disturbed = effect.on_matrix(disturbed, plan.largest_weight)
        if not has_cells:
            return (Tile(disturbed, None, window, groups),) * copies
        error = None if disturbed is integers else planes_of(plan, disturbed - integers)
        tiles = []
        for _ in range(copies):
            conductance = self._cells(integers, effects)
            matrix = matrix_of_cells(plan, conductance)
            tiles.append(Tile(matrix if error is None else matrix + error, conductance, window, groups))
        return tuple(tiles)

    def _answer(
        self, values: torch.Tensor, span: tuple[int, int], tile: Tile, effects: tuple[SumEffect, ...]
    ) -> torch.Tensor:
        """What one row of tiles answers."""
        shape, (start, stop) = self.plan.shape, span
        num_values = values.shape[1:].numel()
        if stop - start < shape.inputs_per_group:
            size = tile.window.size if tile.window else 1
            values = _part_of_groups(values, shape.groups, start, stop, size)
        return self._converted(values, tile, effects, num_values)

    def _cells(self, integers: torch.Tensor, effects: tuple[Effect, ...]) -> torch.Tensor:
        """The cells of these integers, with what goes wrong with them."""
        conductance = cells_of(self.plan, integers)
        for effect in effects:
            if isinstance(effect, CellEffect):
                conductance = effect.on_cells(conductance, self.plan.macro)
        return conductance

    def _converted(
        self, values: torch.Tensor, tile: Tile, effects: tuple[SumEffect, ...], num_values: int
    ) -> torch.Tensor:
        """The product itself, decoded, in units of the layer's output; `num_values` are all inputs of one sample."""
        plan, product = self.plan, self.plan.product(tile.window, tile.groups)
        gain, matrix, conductance = self._gain(), tile.matrix, tile.conductance

        def disturb(sums: torch.Tensor, cycles: Codes) -> torch.Tensor:
            met = Conversion(
                cycles=cycles,
                matrix=matrix.detach(),
                gain=gain,
                macro=plan.macro,
                level_step=plan.scheme.level_step,
                groups=tile.groups,
                conductance=None if conductance is None else conductance.detach(),
                wiring=plan.wiring,
                layer=plan.name,
                inputs=plan.inputs,
            )
            for effect in effects:
                sums = effect.on_sums(sums, met)
            return sums

        steps = self.steps()
        # Of the whole layer, as in `integers`: two parts of one gradient must count alike, however the layer is cut.
        input_step = scale_gradient(steps[0], step_scale(num_values, plan.inputs.largest))
        num_weights = plan.shape.num_weights // steps[1].numel()
        relative = scale_gradient(steps[1], step_scale(num_weights, plan.largest_weight))
        weight_step = relative if plan.is_whole else relative.mean()
        output_step = self._scaled_output_step(steps[2], values, tile.window)
        answer = product(
            values, matrix, input_step, weight_step, output_step, gain, None, disturb if effects else None
        )
        if plan.is_whole:
            return answer
        decoded = decode(plan, answer)
        return decoded if relative.dim() == 0 else decoded * _along(relative / relative.mean(), decoded)

    def _gain(self) -> torch.Tensor | None:
        """Codes per level, [] float64; None where converters are ideal."""
        input_step, weight_step, output_step = self.steps()
        if output_step is None:
            return None
        with torch.no_grad():
            return self.plan.integration_time(input_step, weight_step, output_step) * self.plan.unit_gain

    def _scaled_output_step(
        self, step: torch.Tensor | None, values: torch.Tensor, window: Window | None
    ) -> torch.Tensor | None:
        code_range = self.plan.macro.readout.code_range
        if step is None or code_range is None:
            return None
        positions = values.shape[2:] if window is None else window.output_shape(tuple(values.shape[2:]))
        num_outputs = self.plan.shape.num_outputs * torch.Size(positions).numel()
        return scale_gradient(step, step_scale(num_outputs, code_range[1]))

    @torch.no_grad()
    def _begin(self, values: torch.Tensor, integers: torch.Tensor) -> None:
        """Set the steps of inputs and converter by this batch."""
        if not self._knows_sign:
            self.has_sign.fill_(bool((values < 0).any()))
            self.plan = replace(self.plan, activations_are_signed=bool(self.has_sign))
        plan, shape = self.plan, self.plan.shape
        self.input_step.copy_(first_input_step(values, plan.input_range))
        if self.output_step is not None:
            window = shape.window if plan.is_cut_between_channels else None
            start, stop = plan.spans[0]
            size = window.size if window else 1
            part = _part_of_groups(values, shape.groups, start, stop, size)
            matrix, groups = integers[:, start:stop], shape.groups
            if plan.is_dense(not plan.is_whole):
                matrix, groups = _block_diagonal(matrix, groups), 1
            if not plan.is_whole:
                matrix = matrix_of_cells(plan, cells_of(plan, matrix))
            gain = first_gain(plan.product(window, groups), part, matrix, self.input_step, groups)
            self.output_step.copy_(self.input_step * self.weight_step.mean() / gain)
        self.is_ready.fill_(True)


def _part_of_groups(values: torch.Tensor, groups: int, start: int, stop: int, size: int) -> torch.Tensor:
    """The inputs `start` to `stop` of every group; `size` inputs make a channel."""
    grouped = values.unflatten(1, (groups, -1))
    return grouped[:, :, start // size : stop // size].flatten(1, 2)


def _block_diagonal(integers: torch.Tensor, groups: int) -> torch.Tensor:
    """The matrix [output, input] of all groups together."""
    return torch.block_diag(*integers.unflatten(0, (groups, -1)))


def _along(scale: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    return scale.view(-1, *[1] * (like.dim() - 2))
