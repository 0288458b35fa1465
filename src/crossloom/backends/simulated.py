"""Chips that exist only in memory, with the physics of `devices` and `circuits`."""

from collections.abc import Collection, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import Any, Self

import torch

from crossloom.artefacts import saved
from crossloom.backends.checks import (
    check_codes,
    check_elapsed,
    check_region,
    check_targets,
    check_together,
    check_voltages,
    check_widths,
)
from crossloom.backends.functions import RegionFunctions
from crossloom.backends.half_select import half_select
from crossloom.backends.held import held_bytes
from crossloom.backends.macro_state import MacroState, deliver_macro
from crossloom.backends.noise import sample_noise
from crossloom.backends.read_stress import read_stress
from crossloom.backends.rounds import gain_ratios, rounds_of
from crossloom.circuits import MacroFunction
from crossloom.devices import DeviceModel, Pulsed, make_device, read
from crossloom.errors import BackendError
from crossloom.hardware import Backend, Codes, Draw, MvmCommand, Reading, Region
from crossloom.seeds import derive_generator
from crossloom.spec import MacroAddress, SystemSpec

saved(SystemSpec)


@saved
@dataclass(frozen=True)
class SimulatedChips:
    """Simulated chips at one moment: what a `SimulatedBackend` is made of."""

    spec: SystemSpec
    seed: int
    macros: Mapping[MacroAddress, MacroState] = field(repr=False)
    is_quiet: bool = False


class SimulatedBackend(Backend):
    """Simulated chips of a system.

    Macros come into being when they are first touched; what they are depends on the seed and their address
    alone. `device_model` replaces the one that the specification names; `device` is where tensors live.
    """

    kind = "simulated"

    def __init__(
        self,
        spec: SystemSpec,
        seed: int = 0,
        device_model: DeviceModel | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        self._chips = SimulatedChips(spec, seed, {})
        self._own_model = device_model
        self._model = device_model or make_device(spec.macro.cell)
        self._device = torch.device(device)
        self._is_quiet = False
        self._functions = RegionFunctions(spec, self._model, self._device)
        self._stress = read_stress(spec, self._model)

    @property
    def spec(self) -> SystemSpec:
        return self._chips.spec

    @property
    def seed(self) -> int:
        """The seed that these chips were made with."""
        return self._chips.seed

    def pulse(
        self,
        address: MacroAddress,
        region: Region,
        widths: torch.Tensor,
        voltages: torch.Tensor | None = None,
    ) -> None:
        """One pulse per cell; where cells are not gated, those on the same rows and columns meet a share of it."""
        check_region(self.spec, address, region)
        check_widths(region, widths)
        check_voltages(self.spec, region, voltages)
        if not isinstance(self._model, Pulsed):
            name = type(self._model).__name__
            raise BackendError(
                f"cells of a {name} cannot be pulsed; program them with the strategy DirectSet()"
            )
        state, generator = self._begin(address, "pulse")
        widths, voltages = self._here(widths), None if voltages is None else self._here(voltages)
        pulsed = self._model.pulse(_block(state, region), widths, generator, voltages)
        cells = state.cells.with_block(region.row, region.column, pulsed)
        cells = half_select(self._model, cells, self.spec.macro.cell, region, widths, voltages, generator)
        self._put(address, state.with_cells(cells))

    def set(self, address: MacroAddress, region: Region, targets: torch.Tensor) -> None:
        """Bring cells to `targets` (S) in one event, with the error that the device model says remains."""
        check_region(self.spec, address, region)
        check_targets(region, targets)
        state, generator = self._begin(address, "set")
        self._change(address, region, self._model.set(_block(state, region), self._here(targets), generator))

    def read(self, address: MacroAddress, region: Region) -> torch.Tensor:
        check_region(self.spec, address, region)
        state, generator = self._begin(address, "read")
        self._put(address, state.with_cells(state.cells))
        cells = _block(state, region)
        measured = cells.conductance.clone() if self._is_quiet else read(self._model, cells, generator)
        return self._functions.seen_alone(region, measured)

    def wait(self, elapsed: float) -> None:
        """Age all cells by `elapsed` seconds."""
        check_elapsed(elapsed)
        for address in list(self._chips.macros):
            state, generator = self._begin(address, "relax")
            self._put(address, state.with_cells(self._model.relax(state.cells, elapsed, generator)))

    def mvm(self, command: MvmCommand, codes: Codes, draw: Draw, count_codes: bool = False) -> Reading:
        return self.mvm_many((command,), codes, draw, count_codes)[0]

    def mvm_many(
        self, commands: Sequence[MvmCommand], codes: Codes, draw: Draw, count_codes: bool = False
    ) -> tuple[Reading, ...]:
        """Several regions at once: one product for all, each with the noise that it would meet alone.

        Codes may live on another torch device; the sums come back to it.
        """
        commands = tuple(commands)
        rounds = [] if count_codes or not self._functions.can_sweep else rounds_of(commands)
        if rounds and self._functions.can_share(rounds[0]):
            return self._sweep(rounds, codes, draw)
        if not self._functions.can_share(commands):
            return tuple(self.mvm(command, codes, draw, count_codes) for command in commands)
        function = self._functions.get(commands, self._state)
        check_codes(commands[0], codes)
        home = codes.values.device
        codes = codes.with_values(self._here(codes.values))
        answer = function(codes, None if self._is_quiet else self._noise(commands, codes, draw), count_codes)
        for command in commands if self._stress else ():
            assert self._stress is not None
            self._put(command.address, self._stress.after(self._state(command.address), command, codes))
        parts = answer.sums.to(home).split([command.num_outputs for command in commands], 1)
        return tuple(
            Reading(part, answer.codes if number == 0 else None) for number, part in enumerate(parts)
        )

    def _sweep(
        self, rounds: Sequence[tuple[MvmCommand, ...]], codes: Codes, draw: Draw
    ) -> tuple[Reading, ...]:
        """The same regions once for each round, at other gains: one product for all, since cells are ohmic."""
        first = rounds[0]
        function = self._functions.get(first, self._state)
        assert isinstance(function, MacroFunction)
        for commands in rounds[1:]:
            check_together(self.spec, commands)
        check_codes(first[0], codes)
        home = codes.values.device
        here = codes.with_values(self._here(codes.values))
        noise = None if self._is_quiet else self._noise(first, codes, draw)
        ratios = [gain_ratios(self.spec.macro, first, commands) for commands in rounds]
        answers = function.at_gains(here, ratios, noise)
        for command in (command for commands in rounds for command in commands) if self._stress else ():
            assert self._stress is not None
            self._put(command.address, self._stress.after(self._state(command.address), command, here))
        widths = [command.num_outputs for command in first]
        return tuple(Reading(part) for answer in answers for part in answer.sums.to(home).split(widths, 1))

    def conductance(self, address: MacroAddress, region: Region) -> torch.Tensor:
        """What is there, S, [row, column], without measuring it: only a simulation can tell."""
        check_region(self.spec, address, region)
        return _block(self._state(address), region).conductance

    def transitions(self, address: MacroAddress) -> torch.Tensor | None:
        """Where a macro's converters change codes, [set, transition], codes; None where all are in their places."""
        return self._state(address).transitions

    def quiet(self) -> "SimulatedBackend":
        """The same chips, as they are, read without noise."""
        twin = self.copy()
        twin._is_quiet = True
        return twin

    def copy(self) -> "SimulatedBackend":
        """The same chips, independent of these from now on."""
        twin = SimulatedBackend(self.spec, self.seed, self._own_model, self._device)
        twin._chips = SimulatedChips(self.spec, self.seed, dict(self._chips.macros))
        twin._functions = self._functions.copy()
        twin._is_quiet = self._is_quiet
        return twin

    def part(self, addresses: Collection[MacroAddress]) -> Self:
        """The same chips, independent of these, with these macros as they are and all others as delivered."""
        if self._stress is not None:
            raise BackendError(
                f"cells of {self.spec.name} are disturbed by reads, so that no seed says what they are; keep all "
                "of them in memory"
            )
        macros = {
            address: self._chips.macros[address] for address in addresses if address in self._chips.macros
        }
        twin = copy(self)
        twin._chips = SimulatedChips(self.spec, self.seed, macros)
        twin._functions = self._functions.none()
        return twin

    def join(self, part: Any) -> None:
        """Take the macros of a part of these chips."""
        if not isinstance(part, SimulatedBackend) or (part.spec, part.seed) != (self.spec, self.seed):
            raise BackendError(f"need a part of these chips of {self.spec.name}, got other chips")
        for address, state in part._chips.macros.items():
            self._put(address, state)

    def drop(self, addresses: Collection[MacroAddress]) -> None:
        """Forget these macros: they are as delivered."""
        macros = {address: state for address, state in self._chips.macros.items() if address not in addresses}
        self._chips = SimulatedChips(self.spec, self.seed, macros, self._chips.is_quiet)
        self._functions.drop(addresses)

    @property
    def num_bytes(self) -> int:
        """What macros and their functions take in memory."""
        macros = self._chips.macros
        each = held_bytes(next(iter(macros.values()))) if macros else 0  # all are of one size
        return each * len(macros) + self._functions.num_bytes

    def to(self, device: torch.device | str) -> "SimulatedBackend":
        """The same chips on another torch device."""
        twin = SimulatedBackend(self.spec, self.seed, self._own_model, device)
        macros = {address: state.to(device) for address, state in self._chips.macros.items()}
        twin._chips = SimulatedChips(self.spec, self.seed, macros)
        twin._is_quiet = self._is_quiet
        return twin

    def to_state(self) -> SimulatedChips:
        """The chips as a value. BackendError with a device model that no specification describes."""
        if self._own_model is not None:
            raise BackendError(
                "chips of a device model of your own cannot be saved; register it and name it in the spec"
            )
        return SimulatedChips(self.spec, self.seed, dict(self._chips.macros), self._is_quiet)

    @classmethod
    def from_state(cls, state: Any) -> Self:
        """The chips again."""
        backend = cls(state.spec, state.seed)
        backend._chips = SimulatedChips(state.spec, state.seed, dict(state.macros))
        backend._is_quiet = state.is_quiet
        return backend

    def _state(self, address: MacroAddress) -> MacroState:
        state = self._chips.macros.get(address)
        if state is None:
            state = deliver_macro(self.spec, self._model, address, self.seed, self._device)
            self._put(address, state)
        return state

    def _put(self, address: MacroAddress, state: MacroState) -> None:
        self._chips.macros[address] = state  # type: ignore[index]

    def _begin(self, address: MacroAddress, event: str) -> tuple[MacroState, torch.Generator]:
        state = self._state(address)
        if self._stress is not None:
            state = self._stress.shown(state)
            self._put(address, state)
        names = (*address, event, state.num_events)
        return state, derive_generator(self.seed, *names, device=self._device)

    def _change(self, address: MacroAddress, region: Region, block: Any) -> None:
        state = self._state(address)
        self._put(address, state.with_cells(state.cells.with_block(region.row, region.column, block)))

    def _here(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor.to(self._device)

    def _noise(self, commands: tuple[MvmCommand, ...], codes: Codes, draw: Draw) -> Any:
        widths = [command.num_outputs for command in commands]
        step = ("step", draw.step) if draw.step else ()

        def drawn(shape: tuple[int, ...]) -> torch.Tensor:
            vectors = shape[0] // codes.num_samples
            positions = torch.Size(shape[2:]).numel()
            parts = []
            for command, width in zip(commands, widths, strict=True):
                place = (*command.address, command.region.row, command.region.column, draw.run, *step)
                per_sample = vectors * width * positions
                part = sample_noise(
                    codes.num_samples, draw.first_sample, per_sample, (self.seed, *place), self._device
                )
                parts.append(part.reshape(shape[0], width, *shape[2:]))
            return parts[0] if len(parts) == 1 else torch.cat(parts, 1)

        return drawn


def _block(state: MacroState, region: Region) -> Any:
    return state.cells.block(region.row, region.column, region.num_rows, region.num_columns)
