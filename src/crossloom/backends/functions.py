"""What the regions of simulated macros do with codes: made once, and again when their cells have changed."""

from collections.abc import Callable, Collection
from copy import copy
from dataclasses import dataclass
from functools import cached_property

import torch

from crossloom.backends.checks import check_together
from crossloom.backends.held import held_bytes
from crossloom.backends.macro_state import MacroState
from crossloom.circuits import (
    CellNoise,
    Curve,
    CurvedMacroFunction,
    Drivers,
    EffectiveArray,
    MacroFunction,
    RegionCells,
    effective_array,
    in_series,
    is_linear,
    macro_function,
    make_curve,
    make_drivers,
    make_staircase,
    series_resistance,
    side_by_side,
    transitions_of,
    wiring_of_rows,
)
from crossloom.devices import CellState, Curved, DeviceModel
from crossloom.errors import BackendError
from crossloom.hardware import MvmCommand, Region
from crossloom.spec import CellSpec, MacroAddress, SystemSpec

_Place = tuple[MacroAddress, Region]
_Function = MacroFunction | CurvedMacroFunction


@dataclass(frozen=True)
class _Ready:
    """The function of some regions, and what it was made for; the next other command takes its place."""

    commands: tuple[MvmCommand, ...]
    cells: tuple[CellState, ...]
    function: _Function

    @cached_property
    def num_bytes(self) -> int:
        """What the function takes in memory beside the cells."""
        return held_bytes(self.function, self.cells)

    def is_for(self, commands: tuple[MvmCommand, ...], cells: tuple[CellState, ...]) -> bool:
        """Whether these are the same commands on cells that have not changed since."""
        return self.commands == commands and all(a is b for a, b in zip(self.cells, cells, strict=True))


@dataclass(frozen=True)
class _Effective:
    """What wires make of a region's cells, and of their noise."""

    cells: CellState
    matrix: torch.Tensor
    noise: CellNoise

    @cached_property
    def num_bytes(self) -> int:
        """What it takes in memory beside the cells."""
        return held_bytes((self.matrix, self.noise), self.cells)


class RegionFunctions:
    """The functions of all regions of one backend.

    What wires make of a region's cells is kept by itself, so that a change of register does not ask for it again.
    """

    def __init__(self, spec: SystemSpec, model: DeviceModel, device: torch.device) -> None:
        self._spec = spec
        self._model = model
        self._device = device
        self._curve = _curve(spec.macro.cell, model)
        self._is_linear = is_linear(self._curve, spec.macro.crossbar)
        if not self._is_linear and spec.macro.dac.read_voltage is None:
            raise BackendError(
                f"{spec.name} has to be solved at its voltages (cells that are not ohmic, or gated rows between "
                "wires); give dac.read_voltage"
            )
        self._ready: dict[tuple[_Place, ...], _Ready] = {}
        self._effective: dict[_Place, _Effective] = {}

    def drop(self, addresses: Collection[MacroAddress]) -> None:
        """Forget what was made of these macros."""
        self._ready = {
            places: ready
            for places, ready in self._ready.items()
            if not any(address in addresses for address, _ in places)
        }
        self._effective = {
            place: known for place, known in self._effective.items() if place[0] not in addresses
        }

    @property
    def num_bytes(self) -> int:
        """What the functions take in memory beside the cells."""
        return sum(ready.num_bytes for ready in self._ready.values()) + sum(
            known.num_bytes for known in self._effective.values()
        )

    def none(self) -> "RegionFunctions":
        """The functions of the same chips, of which none is made yet."""
        twin = copy(self)
        twin._ready, twin._effective = {}, {}
        return twin

    def copy(self) -> "RegionFunctions":
        """The same functions, for a copy of the chips."""
        twin = self.none()
        twin._ready, twin._effective = dict(self._ready), dict(self._effective)
        return twin

    def get(
        self, commands: tuple[MvmCommand, ...], state_of: Callable[[MacroAddress], MacroState]
    ) -> _Function:
        """The function of these regions together; of more than one only where `can_share`."""
        places = tuple((command.address, command.region) for command in commands)
        ready = self._ready.get(places)
        if ready is None or ready.commands != commands:
            check_together(self._spec, commands)
        states = tuple(state_of(command.address) for command in commands)
        cells = tuple(state.cells for state in states)
        if ready is None or not ready.is_for(commands, cells):
            ready = self._ready[places] = _Ready(commands, cells, self._make(commands, states))
        return ready.function

    def can_share(self, commands: tuple[MvmCommand, ...]) -> bool:
        """Whether these regions can do with one product: not where each has drivers of its own, or is a circuit."""
        if len(commands) < 2:
            return True
        return self._spec.macro.dac.level_error is None and self._is_linear

    @property
    def can_sweep(self) -> bool:
        """Whether one product serves a region at several gains: not where voltages change what cells do."""
        return self._is_linear

    def seen_alone(self, region: Region, measured: torch.Tensor) -> torch.Tensor:
        """What is seen of conductances (S) that are measured one by one, through all that is in series with them."""
        resistance = series_resistance(self._spec.macro.crossbar, region, measured)
        return measured if resistance is None else measured / (1 + measured * resistance)

    def _make(self, commands: tuple[MvmCommand, ...], states: tuple[MacroState, ...]) -> _Function:
        if not self._is_linear:
            return self._make_curved(commands[0], states[0])
        pairs = list(zip(commands, states, strict=True))
        parts = [self._array(*pair) for pair in pairs]
        array = side_by_side(parts)
        macro = self._spec.macro
        return macro_function(
            array,
            torch.cat([self._gain(*pair) for pair in pairs]),
            self._offset(commands, states),
            commands[0].inputs,
            macro.dac,
            macro.readout,
            self._transitions(commands, states),
            self._drivers(commands[0], states[0]),
        )

    def _make_curved(self, command: MvmCommand, state: MacroState) -> CurvedMacroFunction:
        macro = self._spec.macro
        assert macro.dac.read_voltage is not None
        drivers, transitions = self._drivers(command, state), self._transitions((command,), (state,))
        dac, voltage = macro.dac, macro.dac.read_voltage
        if command.read_voltage is not None:
            voltage = command.read_voltage
            dac = dac.replace(read_voltage=voltage)
        return CurvedMacroFunction(
            self._cells(command.region, state.cells).curved(),
            command.wiring,
            self._gain(command, state),
            self._offset((command,), (state,)),
            voltage * command.level_step,
            command.inputs,
            dac,
            macro.readout,
            make_staircase(transitions, macro.readout.code_range, torch.float64),
            drivers or make_drivers(macro.dac, command.inputs, device=self._device),
        )

    def _cells(self, region: Region, cells: CellState) -> RegionCells:
        crossbar = self._spec.macro.crossbar
        if not crossbar.is_passive:
            cells = cells.block(region.row, region.column, region.num_rows, region.num_columns)
        noise = self._model.read_noise(cells)
        return RegionCells(cells.conductance, noise, self._curve, crossbar, region)

    def _array(self, command: MvmCommand, state: MacroState) -> EffectiveArray:
        place = (command.address, command.region)
        known = self._effective.get(place)
        if known is None or known.cells is not state.cells:
            known = _Effective(state.cells, *self._cells(command.region, state.cells).effective())
            self._effective[place] = known
        wiring = command.wiring if state.driver_errors is None else wiring_of_rows(command.wiring)
        return effective_array(known.matrix, known.noise, wiring, command.level_step)

    def _offset(
        self, commands: tuple[MvmCommand, ...], states: tuple[MacroState, ...]
    ) -> torch.Tensor | None:
        if states[0].offset is None:
            return None
        return torch.cat(
            [
                state.offset[_columns(command)]
                for command, state in zip(commands, states, strict=True)
                if state.offset is not None
            ]
        )

    def _gain(self, command: MvmCommand, state: MacroState) -> torch.Tensor:
        time, voltage = command.integration_time, command.read_voltage
        nominal = self._spec.macro.gain(time, command.level_step, voltage)
        if state.gain is None:
            return torch.full((command.num_outputs,), nominal, dtype=torch.float64, device=self._device)
        return state.gain[_columns(command)] * nominal

    def _transitions(
        self, commands: tuple[MvmCommand, ...], states: tuple[MacroState, ...]
    ) -> torch.Tensor | None:
        """Transitions of the converters that regions end in, [output or 1, transition]."""
        each = self._spec.macro.readout.columns_per_transitions
        parts = [
            transitions_of(state.transitions, each, _columns(command))
            for command, state in zip(commands, states, strict=True)
            if state.transitions is not None
        ]
        if len(parts) <= 1:
            return parts[0] if parts else None
        widths = [command.num_outputs for command in commands]
        return torch.cat([part.expand(width, -1) for part, width in zip(parts, widths, strict=True)])

    def _drivers(self, command: MvmCommand, state: MacroState) -> Drivers | None:
        """The drivers of a region's rows; None where all are alike."""
        if state.driver_errors is None:
            return None
        rows = slice(command.region.row, command.region.row + command.region.num_rows)
        return make_drivers(self._spec.macro.dac, command.inputs, state.driver_errors[rows], command.wiring)


def _curve(cell: CellSpec, model: DeviceModel) -> Curve:
    """The cells' own curve, where their model has one; else what the specification says."""
    if not isinstance(model, Curved):
        return make_curve(cell.iv, cell.access)
    if cell.iv is not None:
        raise BackendError(
            f"cells of a {type(model).__name__} have a current over voltage of their own; leave cell.iv out"
        )
    return in_series(model.curve(), cell.access.resistance if cell.access else 0.0)


def _columns(command: MvmCommand) -> torch.Tensor:
    """The first column of every output of a region, [output]."""
    start, stop = command.region.column, command.region.column + command.region.num_columns
    return torch.arange(start, stop, command.wiring.columns_per_output)
