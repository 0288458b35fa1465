"""Cutting a layer's matrix into tiles that fit a crossbar."""

from dataclasses import dataclass

from crossloom.errors import ConfigError
from crossloom.mapping.scheme import Scheme
from crossloom.spec import MacroSpec


@dataclass(frozen=True)
class Block:
    """Inputs and outputs of a layer's whole matrix that one tile holds."""

    input_start: int
    input_stop: int
    output_start: int
    output_stop: int


def cut_matrix(
    name: str,
    num_inputs: int,
    num_outputs: int,
    groups: int,
    window_size: int,
    scheme: Scheme,
    macro: MacroSpec,
) -> list[Block]:
    """Cut the block-diagonal matrix [num_inputs, num_outputs] of `groups` groups.

    Rows are cut between channels (every `window_size` inputs) where a channel fits; small groups share a
    tile, side by side on its diagonal. ConfigError when not even one weight fits.
    """
    crossbar = macro.crossbar
    most_inputs = crossbar.num_rows // scheme.rows_per_input
    converted = crossbar.num_columns // scheme.columns_per_output - scheme.num_reference_outputs
    most_outputs = converted // len(scheme.coefficients)
    if most_inputs < 1 or most_outputs < 1:
        raise ConfigError(
            f"{name}: one weight takes {scheme.rows_per_input} rows and {len(scheme.coefficients)} converted "
            f"columns, too many for {crossbar.num_rows} x {crossbar.num_columns} cells; use more bits_per_cell"
        )
    in_group, out_group = num_inputs // groups, num_outputs // groups
    together = min(most_inputs // in_group, most_outputs // out_group, groups)
    if together >= 1:
        in_group, out_group = in_group * together, out_group * together
    row_step = _row_step(in_group, most_inputs, window_size)
    return [
        Block(row, min(row + row_step, row_end), column, min(column + most_outputs, column_end))
        for group_row, group_column in zip(
            range(0, num_inputs, in_group), range(0, num_outputs, out_group), strict=True
        )
        for row_end in [min(group_row + in_group, num_inputs)]
        for column_end in [min(group_column + out_group, num_outputs)]
        for row in range(group_row, row_end, row_step)
        for column in range(group_column, column_end, most_outputs)
    ]


def _row_step(num_inputs: int, most_inputs: int, window_size: int) -> int:
    if num_inputs <= most_inputs:
        return num_inputs
    whole_channels = most_inputs // window_size * window_size
    return whole_channels or most_inputs
