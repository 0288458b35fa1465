"""The device model of Synaptogen's cells."""

from dataclasses import dataclass
from functools import cached_property

import torch

from crossloom.devices.delivery import as_new
from crossloom.devices.model import DeviceModel
from crossloom.devices.state import CellState
from crossloom.devices.synaptogen.cells import AFTER_RESET, AFTER_SET, Cells
from crossloom.devices.synaptogen.mixture_iv import MixtureIV
from crossloom.devices.synaptogen.published_fit import published_fit
from crossloom.devices.synaptogen.read_out import noise_variance
from crossloom.devices.synaptogen.switching import Switching, switching_of
from crossloom.errors import ConfigError
from crossloom.spec import CellSpec, SynaptogenDeviceSpec, SynaptogenFit


@dataclass(frozen=True)
class SynaptogenDevice(DeviceModel):
    """Cells drawn from the statistics of measured ReRAM (T. Hennen, doi 10.1109/TED.2024.3427616).

    A pulse is its voltage: widths say which cells and, by their sign, SET or RESET, but not for how long, as the
    fit knows no time. Nothing relaxes. `state.conductance` is static, at the voltage of the fit; `iv` has the rest.
    """

    spec: SynaptogenDeviceSpec
    cell: CellSpec

    def __post_init__(self) -> None:
        if self.cell.pulse is not None and self.cell.pulse.half_select:
            raise ConfigError(
                "synaptogen cells know voltages, not shares of a pulse; leave out cell.pulse.half_select"
            )

    @cached_property
    def fit(self) -> SynaptogenFit:
        """The numbers behind the model."""
        return self.spec.fit if isinstance(self.spec.fit, SynaptogenFit) else published_fit()

    @cached_property
    def iv(self) -> MixtureIV:
        """Current over voltage, for cells of any static conductance."""
        return MixtureIV.of(self.fit)

    def curve(self) -> MixtureIV:
        return self.iv

    def deliver(self, shape: tuple[int, int], cells: torch.Generator, chip: torch.Generator) -> CellState:
        """Cells after a full RESET, each a device of its own, with its first cycle drawn."""
        switching = self._switching(cells.device)
        mean, scale = switching.cycles.draw_devices(shape, cells)
        history = switching.cycles.start(shape, cells)
        state = as_new(shape, self.cell, cells.device)
        none = torch.zeros_like(state.conductance)
        phase = torch.full_like(state.fault, AFTER_RESET)
        first = switching.cycles.features(history, mean, scale).reset_conductance
        return Cells(first, phase, none, torch.stack([none, none]), history, mean, scale).into(state)

    def set(self, state: CellState, target: torch.Tensor, generator: torch.Generator) -> CellState:
        """SET every cell, then raise the RESET voltage until its conductance has come down to `target`.

        What one cycle of a cell can reach is from its HRS to its LRS. Targets in between are met (or passed by
        what one `voltage_step` does). A cell whose cycle cannot reach its target is cycled again, `max_cycles`
        times in all, and then stays at the nearer end of its last cycle: that is the error that remains.
        """
        switching, target = self._switching(state.conductance.device), target.to(state.conductance)
        cells = self._approach(switching, Cells.of(state), target, generator)
        for _ in range(self.spec.max_cycles - 1):
            too_low = (cells.phase == AFTER_SET) & (cells.conductance < target)
            missed = too_low | (cells.phase == AFTER_RESET) & (cells.conductance > target)
            again = switching.reset(cells.pick(missed), target.new_tensor(torch.inf), generator)
            cells = cells.put(missed, self._approach(switching, again, target[missed], generator))
        return cells.into(state).but(age=torch.zeros_like(state.age))

    def _approach(
        self, switching: Switching, cells: Cells, target: torch.Tensor, generator: torch.Generator
    ) -> Cells:
        """One cycle: SET, and RESET as far as `target` where it lies below."""
        cells = switching.set(cells, torch.full_like(target, -torch.inf))
        too_high = cells.conductance > target
        cells = switching.begin(cells, too_high, generator)
        voltage = self._on_ramp(switching.voltage_for(cells, target), cells.threshold)
        return switching.down(cells, voltage, too_high)

    def pulse(
        self,
        state: CellState,
        widths: torch.Tensor,
        generator: torch.Generator,
        voltages: torch.Tensor | None = None,
    ) -> CellState:
        """One pulse per cell of `voltages` (V; None: the nominal one, which is U_max where no spec gives it)."""
        switching, cells = self._switching(state.conductance.device), Cells.of(state)
        magnitude = self._nominal if voltages is None else voltages.to(cells.conductance)
        voltage = -widths.to(cells.conductance).sign() * magnitude
        cells = switching.reset(switching.set(cells, voltage), voltage, generator)
        return cells.into(state).but(age=state.age.masked_fill(widths != 0, 0.0))

    def read_noise(self, state: CellState) -> torch.Tensor | None:
        if self.spec.bandwidth is None:
            return None
        voltage = state.conductance.new_tensor(self.spec.read_voltage)
        current = self.iv.current(state.conductance, voltage)[0]
        variance = noise_variance(current / voltage, voltage, self.spec.bandwidth, self.spec.temperature)
        return variance.sqrt() / voltage

    def relax(self, state: CellState, elapsed: float, generator: torch.Generator) -> CellState:
        return state.but(age=state.age + elapsed)

    def currents(self, state: CellState, voltages: torch.Tensor) -> torch.Tensor:
        """Currents (A) of all cells at `voltages` (V, [..., row, column])."""
        return self.iv.current(state.conductance, voltages.to(state.conductance))[0]

    @property
    def _nominal(self) -> float:
        given = self.cell.pulse and self.cell.pulse.voltage
        return given or self.fit.full_reset_voltage

    def _on_ramp(self, voltage: torch.Tensor, start: torch.Tensor) -> torch.Tensor:
        """The first voltage of a stepped ramp that is no lower than `voltage`."""
        step, highest = self.spec.voltage_step, self.fit.full_reset_voltage
        if step is None:
            return voltage
        return (start + ((voltage - start) / step).ceil() * step).clamp(max=highest)

    def _switching(self, device: torch.device) -> Switching:
        return switching_of(self.fit, device)  # type: ignore[arg-type]  # frozen models can be hashed
