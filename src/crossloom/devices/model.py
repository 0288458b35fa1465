"""The interface of device models: cells are set or pulsed, they are read, and time passes."""

from abc import ABC, abstractmethod
from typing import Any, Protocol, runtime_checkable

import torch

from crossloom.devices.state import CellState


class DeviceModel(ABC):
    """The physics of a cell. A model is a value: what changes is the state, and that is passed."""

    @abstractmethod
    def set(self, state: CellState, target: torch.Tensor, generator: torch.Generator) -> CellState:
        """Bring cells to `target` (S, [row, column]) in one event, with the error that remains once settled."""

    @abstractmethod
    def read_noise(self, state: CellState) -> torch.Tensor | None:
        """Standard deviation (S, [row, column]) of one read of these cells; None for none at all."""

    @abstractmethod
    def relax(self, state: CellState, elapsed: float, generator: torch.Generator) -> CellState:
        """Let `elapsed` seconds pass. `relax(state, 0)` is the identity."""


@runtime_checkable
class Pulsed(Protocol):
    """A device model whose cells can be written pulse by pulse."""

    def pulse(
        self,
        state: CellState,
        widths: torch.Tensor,
        generator: torch.Generator,
        voltages: torch.Tensor | None = None,
    ) -> CellState:
        """Apply one pulse per cell: `widths` in s, [row, column]; above 0 sets, below resets, 0 leaves alone.

        `voltages`: magnitudes in V, [row, column], at least 0; None for the nominal voltage.
        """
        ...


@runtime_checkable
class Nudged(Protocol):
    """A device model that tells pulses which write a cell from those that only move it a little."""

    def nudge(self, state: CellState, widths: torch.Tensor, generator: torch.Generator) -> CellState:
        """Half-selected cells after pulses of these `widths` (s, at the nominal voltage): moved, but not written."""
        ...


@runtime_checkable
class Delivered(Protocol):
    """A device model that says in what state its cells come from the factory."""

    def deliver(self, shape: tuple[int, int], cells: torch.Generator, chip: torch.Generator) -> CellState:
        """Cells as new. `cells` draws what differs from cell to cell, `chip` what all cells of a chip share."""
        ...


@runtime_checkable
class Disturbed(Protocol):
    """A device model whose cells are changed by being read."""

    def disturb(
        self, state: CellState, voltage: torch.Tensor | float, elapsed: torch.Tensor | float
    ) -> CellState:
        """What `elapsed` seconds under a read voltage (V, magnitude) leave of the cells.

        Each is a number, or a tensor that fits [row, column] ([row, 1]: each row for as long as it was driven).
        Gives `state` itself where reads disturb nothing. Nothing is drawn: the same stress does the same.
        """
        ...


@runtime_checkable
class Curved(Protocol):
    """A device model whose cells have a current over voltage of their own, beside what `CellSpec.iv` can say."""

    def curve(self) -> Any:
        """What gives current (A) and slope (S) of cells, `current(conductance, voltage)`; see `circuits.Curve`."""
        ...


def read(model: DeviceModel, state: CellState, generator: torch.Generator) -> torch.Tensor:
    """Measure every cell once: its conductance with read noise, S, [row, column]."""
    noise = model.read_noise(state)
    if noise is None:
        return state.conductance.clone()
    drawn = torch.randn(state.shape, generator=generator, device=state.conductance.device)
    return state.conductance + noise * drawn
