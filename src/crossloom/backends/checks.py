"""Commands are checked before anything happens."""

from collections.abc import Sequence
from math import inf

import torch

from crossloom.errors import BackendError
from crossloom.hardware import Codes, MvmCommand, Region
from crossloom.spec import MacroAddress, SystemSpec

_ROUNDING = 1e-6  # voltages may come as float32


def check_region(spec: SystemSpec, address: MacroAddress, region: Region) -> None:
    """BackendError when the macro does not exist, or the region does not lie within its crossbar."""
    limits = (spec.num_chips, spec.chip.num_cores, spec.chip.core.num_macros)
    if not all(0 <= number < limit for number, limit in zip(address, limits, strict=True)):
        raise BackendError(
            f"{spec.name} has no {address}; it has {limits[0]} chips of {limits[1]} cores of {limits[2]}"
        )
    crossbar = spec.macro.crossbar
    end_row, end_column = region.row + region.num_rows, region.column + region.num_columns
    starts_inside = region.row >= 0 and region.column >= 0 and region.num_cells > 0
    if not starts_inside or end_row > crossbar.num_rows or end_column > crossbar.num_columns:
        raise BackendError(f"{region} does not lie within {crossbar.num_rows} x {crossbar.num_columns} cells")


def check_widths(region: Region, values: torch.Tensor) -> None:
    """BackendError when `values` is not one finite number for every cell of the region."""
    if tuple(values.shape) != (region.num_rows, region.num_columns):
        raise BackendError(f"need one value per cell of {region}, got shape {tuple(values.shape)}")
    if not torch.isfinite(values.double().sum()):  # one pass; any NaN or infinity comes through a sum
        raise BackendError(f"values for {region} must be finite; nothing was written")


def check_voltages(spec: SystemSpec, region: Region, voltages: torch.Tensor | None) -> None:
    """BackendError when `voltages` is not one magnitude that the drivers can give for every cell of the region."""
    if voltages is None:
        return
    check_widths(region, voltages)
    response = spec.macro.cell.pulse
    highest = response and response.highest_voltage
    if highest is None:
        raise BackendError(
            f"{spec.name} does not say what the voltage of its pulses is; leave voltages out, or give pulse.voltage"
        )
    lowest, most = voltages.min().item(), voltages.max().item()
    if lowest < 0 or most > highest * (1 + _ROUNDING):
        raise BackendError(
            f"pulses for {region} need 0...{highest:g} V, got {lowest:g}...{most:g} V; nothing was written"
        )


def check_targets(region: Region, targets: torch.Tensor) -> None:
    """BackendError when `targets` is not one conductance for every cell of the region."""
    check_widths(region, targets)
    if (targets < 0).any():
        raise BackendError(f"conductances for {region} must not be negative; nothing was written")


def check_elapsed(elapsed: float) -> None:
    """BackendError when so much time cannot pass."""
    if not elapsed >= 0:
        raise BackendError(f"need elapsed >= 0 seconds, got {elapsed}")


def check_codes(command: MvmCommand, codes: Codes) -> None:
    """BackendError when a batch of codes is not as long as what the command multiplies it with."""
    if codes.num_inputs != command.num_inputs:
        raise BackendError(
            f"{command.region} takes {command.num_inputs} inputs, got codes of {codes.num_inputs}"
        )


def check_together(spec: SystemSpec, commands: Sequence[MvmCommand]) -> None:
    """BackendError when commands cannot share one batch of codes, or one of them cannot be."""
    if not commands:
        raise BackendError("need at least one command to multiply a batch of codes")
    for command in commands:
        check_region(spec, command.address, command.region)
        wiring, region = command.wiring, command.region
        if region.num_rows % wiring.rows_per_input or region.num_columns % wiring.columns_per_output:
            raise BackendError(f"{region} cannot be wired as {wiring}: rows or columns are left over")
        _check_time(command.integration_time, spec.macro.readout.max_time)
        _check_read_voltage(spec, command.read_voltage)
    if len({(command.num_inputs, command.inputs) for command in commands}) > 1:
        raise BackendError(
            "commands that share a batch of codes need one input format and one number of inputs"
        )


def _check_read_voltage(spec: SystemSpec, voltage: float | None) -> None:
    if voltage is None:
        return
    if spec.macro.dac.read_voltage is None:
        raise BackendError(f"{spec.name} does not say at how many volt it reads; give dac.read_voltage")
    if not 0 < voltage < inf:
        raise BackendError(f"the read voltage must be a positive number of volt, got {voltage}")


def _check_time(time: float, limit: int | None) -> None:
    if limit is None and not 0 < time < inf:
        raise BackendError(f"the integration time must be a positive number, got {time}")
    if limit is not None and not 1 <= time <= limit:
        raise BackendError(f"the integration time must be in 1...{limit}, got {time}")
