"""How one layer lies on macros: what of the mapping training has to know."""

import hashlib
from dataclasses import dataclass
from functools import cached_property

import torch

from crossloom.circuits import TrainedProduct
from crossloom.errors import ConfigError
from crossloom.hardware import InputFormat, Wiring
from crossloom.mapping import LayerMappingConfig, Scheme, cut_matrix, make_scheme
from crossloom.quant import code_range
from crossloom.spec import MacroSpec, Pulse
from crossloom.windows import Window


@dataclass(frozen=True)
class LayerShape:
    """A layer's matrix: inputs of one group, all outputs, groups, and the window of a convolution."""

    inputs_per_group: int
    num_outputs: int
    groups: int = 1
    window: Window | None = None

    @property
    def window_size(self) -> int:
        return self.window.size if self.window else 1

    @property
    def num_weights(self) -> int:
        return self.inputs_per_group * self.num_outputs


@dataclass(frozen=True)
class LayerPlan:
    """Scheme, converters and cuts of one layer.

    spans: first and last input of every row of tiles, counted in one group.  largest_weight: integer.
    """

    name: str
    shape: LayerShape
    scheme: Scheme
    macro: MacroSpec
    largest_weight: int
    is_binary: bool
    activation_bits: int
    activations_are_signed: bool
    spans: tuple[tuple[int, int], ...]
    is_quick: bool = False

    @property
    def wiring(self) -> Wiring:
        return Wiring(self.scheme.pairing, self.scheme.row_copies)

    @property
    def is_whole(self) -> bool:
        """Whether one converted output is one output: no slices, no reference column."""
        return self.scheme.coefficients == (1,) and not self.scheme.num_reference_outputs

    @property
    def is_cut_between_channels(self) -> bool:
        size = self.shape.window_size
        return all(start % size == 0 and stop % size == 0 for start, stop in self.spans)

    def is_dense(self, has_cells: bool) -> bool:
        """Whether groups lie as one block-diagonal matrix: where cells or pulses of several groups share a tile."""
        is_pulse = isinstance(self.scheme.input_mode, Pulse)
        return self.shape.groups > 1 and (has_cells or is_pulse or not self.is_cut_between_channels)

    @cached_property
    def digest(self) -> str:
        """A name for hardware, mapping and integers: networks trained on others are others."""
        known = (self.scheme, self.macro, self.largest_weight, self.is_binary, self.spans, self.is_quick)
        return hashlib.blake2b(repr(known).encode(), digest_size=4).hexdigest()

    @cached_property
    def unit_gain(self) -> float:
        """Codes per unit of a sum of products at integration time 1."""
        return self.macro.gain(1.0, self.scheme.level_step) * self.scheme.row_copies

    @cached_property
    def inputs(self) -> InputFormat:
        return InputFormat(self.scheme.input_mode, self.activation_bits, self.activations_are_signed)

    @property
    def input_range(self) -> tuple[int, int]:
        return code_range(self.activation_bits, self.activations_are_signed)

    def product(self, window: Window | None, groups: int) -> TrainedProduct:
        """The product of one row of tiles."""
        code_range = self.macro.readout.code_range
        return TrainedProduct(self.inputs, self.macro.dac, code_range, window, groups, self.is_quick)

    def integration_time(
        self, input_step: torch.Tensor, weight_step: torch.Tensor, output_step: torch.Tensor
    ) -> torch.Tensor:
        """The register n that the converter's step stands for, n ~ s_x s_w / (s_out unit), [] float64."""
        time = input_step.double() * weight_step.double().mean() / (output_step.double() * self.unit_gain)
        limit = self.macro.readout.max_time
        return time if limit is None else time.round().clamp(1, limit)


def plan_layer(
    name: str,
    shape: LayerShape,
    macro: MacroSpec,
    choices: LayerMappingConfig,
    weight_bits: int,
    activation_bits: int,
    activations_are_signed: bool,
    largest_weight: int | None = None,
    is_binary: bool = False,
    is_quick: bool = False,
) -> LayerPlan:
    """Join choices and hardware. ConfigError when cells or drivers cannot do it."""
    widest = 2 ** (weight_bits - 1) - 1
    if largest_weight is not None and largest_weight > widest:
        raise ConfigError(
            f"{name}: {weight_bits}-bit weights hold integers up to {widest}, not largest_weight = "
            f"{largest_weight}; raise weight_bits or lower it"
        )
    if macro.readout.code_range is not None and not choices.is_range_left_to_data:
        raise ConfigError(
            f"{name}: training learns the range of every converter; leave integration_time and full_scale out of its "
            "mapping, and give them to compile alone if they must be"
        )
    if not shape.num_weights:
        raise ConfigError(
            f"{name}: has no weights, {shape.inputs_per_group} x {shape.num_outputs}; list it in digital"
        )
    scheme = make_scheme(choices, weight_bits, macro, activation_bits - activations_are_signed)
    blocks = cut_matrix(
        name,
        shape.inputs_per_group * shape.groups,
        shape.num_outputs,
        shape.groups,
        shape.window_size,
        scheme,
        macro,
    )
    in_group = shape.inputs_per_group
    firsts = [block for block in blocks if block.output_start == 0]
    spans = {(min(block.input_start, in_group), min(block.input_stop, in_group)) for block in firsts}
    return LayerPlan(
        name,
        shape,
        scheme,
        macro,
        1 if is_binary else largest_weight or widest,
        is_binary,
        activation_bits,
        activations_are_signed,
        tuple(sorted(spans)),
        is_quick,
    )
