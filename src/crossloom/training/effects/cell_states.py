"""Cells as a device model leaves them, drawn from torch's global generator as everything in training is."""

from math import log

import torch

from crossloom.devices import FREE, CellState, Delivered, DeviceModel, Relaxation, as_new, make_device
from crossloom.spec import CellSpec, DeviceSpec, DriftSpec, GaussianDeviceSpec

_WITH_STATES = ("telegraph_noise", "read_disturb", "endurance", "temperature")


def global_generator(device: torch.device) -> torch.Generator:
    """What `torch.manual_seed` sets and dropout draws from, on this torch device."""
    if device.type != "cuda":
        return torch.default_generator
    index = torch.cuda.current_device() if device.index is None else device.index
    return torch.cuda.default_generators[index]


def cell_with(cell: CellSpec, device: DeviceSpec | None) -> CellSpec:
    """The same cell with another device, or its own."""
    return cell if device is None else cell.model_copy(update={"device": device})


def programmed(
    cell: CellSpec, target: torch.Tensor, elapsed: float
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Conductances (S, [row, column]) of cells set to `target`, `elapsed` s later, and which of them are stuck.

    None is stuck: None. Every call is another chip: variation and faults are drawn with the rest.
    """
    device = cell.device
    if isinstance(device, GaussianDeviceSpec) and all(getattr(device, name) is None for name in _WITH_STATES):
        return _programmed_at_once(cell, device, target, elapsed)
    state = _programmed(make_device(cell), cell, target, elapsed)
    return state.conductance.to(target), state.fault != FREE


def read_noise(cell: CellSpec, conductance: torch.Tensor, elapsed: float) -> torch.Tensor | None:
    """Standard deviation (S) of a read of cells of this conductance (S, [row, column]), set `elapsed` s ago."""
    model, device = make_device(cell), cell.device
    if isinstance(device, GaussianDeviceSpec):
        state = CellState(conductance, conductance, conductance, own=_age_of(device, conductance, elapsed))
    else:
        state = _programmed(model, cell, conductance, elapsed)
    noise = model.read_noise(state.but(conductance=conductance.to(state.conductance)))
    return None if noise is None else noise.to(conductance)


def _age_of(device: GaussianDeviceSpec, conductance: torch.Tensor, elapsed: float) -> dict[str, torch.Tensor]:
    """What the read noise of Gaussian cells depends on besides their conductance."""
    heat = device.temperature
    aged = elapsed * (heat.acceleration if heat else 1.0)
    return {"aim": conductance, "aged": conductance.new_tensor(aged)}


def shared_read_noise(device: DeviceSpec) -> float | None:
    """The read noise (S) of all cells, where it is the same at every conductance; None where it is not."""
    if not isinstance(device, GaussianDeviceSpec) or device.flicker_noise or device.thermal_noise:
        return None
    noise = device.read_noise
    return noise.at(0.0) if noise is not None and noise.is_constant else None


def _programmed_at_once(
    cell: CellSpec, device: GaussianDeviceSpec, target: torch.Tensor, elapsed: float
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """What `set` and `relax` leave of a `GaussianDevice` where all of it is Gaussian: one draw per cell, in float32."""
    aim = target.float()
    reached = aim
    if device.variation:
        reached = aim * (1 + device.variation * torch.randn((), device=aim.device)).clamp_(min=0)
    shift, spread = _moments(device, aim, elapsed)
    if shift is not None:
        reached = reached + shift
    if spread is not None:
        reached = torch.addcmul(reached, spread, torch.randn_like(aim))
    reached = _drifted(device.drift, aim, reached, elapsed)
    if target.dtype != aim.dtype:
        reached = target + (reached - aim).to(target)
    reached = reached.clamp(min=0)
    if not device.stuck_low and not device.stuck_high:
        return reached, None
    drawn = torch.rand_like(aim)
    low, high = drawn < device.stuck_low, drawn >= 1 - device.stuck_high
    return reached.masked_fill_(low, cell.g_min).masked_fill_(high, cell.g_max), low | high


def _moments(
    device: GaussianDeviceSpec, aim: torch.Tensor, elapsed: float
) -> tuple[torch.Tensor | None, torch.Tensor | None]:
    """Mean and standard deviation (S) of the programming error and of relaxation since, which are independent."""
    error = None if device.programming_error is None else device.programming_error.at(aim)
    if device.relaxation is None:
        return None, error
    relaxation = Relaxation(device.relaxation, device.programming_error)
    shift, spread = relaxation.moments(aim, aim.new_tensor(elapsed))
    return shift, spread if error is None else (error.square() + spread.square()).sqrt()


def _drifted(
    drift: DriftSpec | None, aim: torch.Tensor, reached: torch.Tensor, elapsed: float
) -> torch.Tensor:
    """g (t / t0)^-nu, with an exponent of each cell's own."""
    if drift is None or elapsed <= drift.reference_time:
        return reached
    x = aim / drift.scale
    exponent = torch.addcmul(drift.mean.at(x), drift.spread.at(x), torch.randn_like(aim))
    return reached * (-log(elapsed / drift.reference_time) * exponent).exp_()


def _programmed(model: DeviceModel, cell: CellSpec, target: torch.Tensor, elapsed: float) -> CellState:
    """The events of the model itself: delivered, set, and `elapsed` s of time."""
    generator = global_generator(target.device)
    shape = (target.shape[0], target.shape[1])
    if isinstance(model, Delivered):
        state = model.deliver(shape, generator, generator)
    else:
        state = as_new(shape, cell, target.device)
    return model.relax(model.set(state, target.to(state.conductance), generator), elapsed, generator)
