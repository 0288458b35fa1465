"""The laws that every backend keeps, simulated or at the end of a cable."""

from collections.abc import Callable

import torch

from crossloom.circuits import cycle_weights
from crossloom.errors import BackendError
from crossloom.hardware import (
    Backend,
    Copyable,
    DenseCodes,
    Draw,
    InputFormat,
    ManyMvms,
    MvmCommand,
    OnChipSet,
    Quietable,
    Reading,
    Region,
    Storable,
    WindowedCodes,
    Wiring,
)
from crossloom.programming import DirectSet, WriteVerify
from crossloom.seeds import derive_generator
from crossloom.spec import MacroAddress, Pairing
from crossloom.windows import Window


class BackendSuite:
    """Subclass it as `Test...`, and let `make` return a backend of its own at every call.

    bits: of the input codes.  most_failed: the share of cells that write-verify may give up on.
    read_tolerance, code_tolerance: how far two reads (S), or two sums of codes, of a backend that cannot do
    without read noise may lie apart.
    """

    bits = 4
    most_failed = 0.05
    read_tolerance = 0.0
    code_tolerance = 0.0

    def make(self) -> Backend:
        """The backend to test."""
        raise TypeError(f"{type(self).__name__} must define make()")

    def test_cells_reach_their_targets(self) -> None:
        backend, region = self.make(), self._region()
        targets = self._targets(backend, region)
        strategy = DirectSet() if backend.spec.macro.cell.pulse is None else WriteVerify()
        written = strategy.write(backend, _FIRST, region, targets)
        assert written.pulses.shape == written.failed.shape == targets.shape
        assert written.failed.double().mean() <= self.most_failed
        error = (self._quiet(backend).read(_FIRST, region).to(targets) - targets)[~written.failed]
        allowed = strategy.tolerance_for(backend) or 0.1 * backend.spec.macro.cell.g_max
        assert error.abs().median() <= allowed + self.read_tolerance

    def test_a_read_gives_one_conductance_for_every_cell(self) -> None:
        backend = self.make()
        crossbar = backend.spec.macro.crossbar
        for region in (
            self._region(),
            Region(0, 0, 1, 1),
            Region(crossbar.num_rows - 1, crossbar.num_columns - 1, 1, 1),
        ):
            measured = backend.read(_FIRST, region)
            assert tuple(measured.shape) == (region.num_rows, region.num_columns)
            assert measured.is_floating_point()
            assert torch.isfinite(measured).all()

    def test_writing_leaves_all_other_cells_alone(self) -> None:
        backend, whole = self.make(), Region(0, 0, 8, 8)
        before = self._quiet(backend).read(_FIRST, whole)
        inner = Region(2, 4, 3, 2)
        self._write(backend, inner, 1.0)
        after = self._quiet(backend).read(_FIRST, whole)
        changed = (after - before).abs() > self.read_tolerance
        rows, columns = slice(2, 5), slice(4, 6)
        assert changed[rows, columns].any()
        changed[rows, columns] = False
        assert not changed.any()

    def test_a_pulse_up_raises_and_a_pulse_down_lowers(self) -> None:
        backend, region = self.make(), self._region()
        response = backend.spec.macro.cell.pulse
        if response is None:
            return
        widths = torch.full((region.num_rows, region.num_columns), response.width, dtype=torch.float64)
        for sign in (1.0, -1.0):
            before = self._quiet(backend).read(_FIRST, region)
            for _ in range(5):
                backend.pulse(_FIRST, region, sign * widths)
            after = self._quiet(backend).read(_FIRST, region)
            assert sign * (after - before).mean() > 0

    def test_a_pulse_of_the_highest_voltage_does_no_less_than_a_nominal_one(self) -> None:
        response = self.make().spec.macro.cell.pulse
        if response is None or response.highest_voltage is None:
            return
        region, changes = self._region(), []
        widths = torch.full((region.num_rows, region.num_columns), response.width, dtype=torch.float64)
        for voltages in (None, torch.full_like(widths, response.highest_voltage)):
            backend = self.make()
            before = self._quiet(backend).read(_FIRST, region)
            for _ in range(5):
                backend.pulse(_FIRST, region, widths, voltages)
            changes.append((self._quiet(backend).read(_FIRST, region) - before).mean())
        assert changes[1] >= (1 - 1e-9) * changes[0] > 0

    def test_an_mvm_gives_one_sum_for_every_vector_and_output(self) -> None:
        backend = self._programmed()
        for num_vectors in (1, 5):
            command = self._command(backend)
            sums = backend.mvm(command, self._codes(backend, num_vectors), Draw(0)).sums
            assert tuple(sums.shape) == (num_vectors, command.num_outputs)
            assert torch.isfinite(sums).all()

    def test_windowed_codes_give_what_dense_ones_do(self) -> None:
        backend = self._quiet(self._programmed())
        command = self._command(backend)
        window = Window((2, 2), (1, 2), (1, 0), (1, 1))
        channels = command.num_inputs // window.size
        values = self._values(backend, (3, channels, 5, 6))
        codes = WindowedCodes(values, 3, window)
        windowed = backend.mvm(command, codes, Draw(0)).sums
        dense = backend.mvm(command, codes.dense(), Draw(0)).sums
        assert windowed.shape == (3, command.num_outputs, *window.output_shape((5, 6)))
        assert self._close(windowed, dense)
        vectors = codes.dense().values.permute(0, 2, 3, 1).reshape(-1, command.num_inputs)
        flat = backend.mvm(command, DenseCodes(vectors, len(vectors)), Draw(0)).sums
        assert self._close(windowed.permute(0, 2, 3, 1).reshape(-1, command.num_outputs), flat)

    def test_small_inputs_add_up(self) -> None:
        """f(x + y) + f(0) = f(x) + f(y), but for the rounding of every conversion."""
        backend = self._quiet(self._programmed())
        macro, command = backend.spec.macro, self._command(self._quiet(backend))
        x = torch.zeros(4, command.num_inputs)
        y = torch.zeros_like(x)
        x[:, 0::2] = self._values(backend, x[:, 0::2].shape).clamp(-1, 1)
        y[:, 1::2] = self._values(backend, y[:, 1::2].shape).clamp(-1, 1)

        def multiply(values: torch.Tensor) -> torch.Tensor:
            return backend.mvm(command, DenseCodes(values, len(values)), Draw(0)).sums.double()

        both, none = multiply(x + y), multiply(torch.zeros_like(x))
        rounding = 2 * cycle_weights(command.inputs, macro.dac).abs().sum().item()
        allowed = (rounding if macro.readout.code_range else 1e-4) + self.code_tolerance
        assert (both + none - multiply(x) - multiply(y)).abs().max() <= allowed

    def test_what_does_not_exist_is_refused_and_nothing_happens(self) -> None:
        backend = self._programmed()
        crossbar, spec = backend.spec.macro.crossbar, backend.spec
        before = self._quiet(backend).read(_FIRST, self._region())
        places = [
            (MacroAddress(spec.num_chips, 0, 0), Region(0, 0, 2, 2)),
            (MacroAddress(0, spec.chip.num_cores, 0), Region(0, 0, 2, 2)),
            (MacroAddress(0, 0, -1), Region(0, 0, 2, 2)),
            (_FIRST, Region(crossbar.num_rows - 1, 0, 2, 2)),
            (_FIRST, Region(0, crossbar.num_columns - 1, 2, 2)),
            (_FIRST, Region(-1, 0, 2, 2)),
            (_FIRST, Region(0, 0, 0, 2)),
        ]
        for address, region in places:
            ones = torch.ones(region.num_rows, region.num_columns)
            for ask in (
                lambda a=address, r=region: backend.read(a, r),
                lambda a=address, r=region, w=ones: backend.pulse(a, r, w * 1e-9),
                lambda a=address, r=region: backend.mvm(
                    self._command(backend, a, r), self._codes(backend, 1), Draw(0)
                ),
            ):
                assert _is_refused(ask), (address, region)
        assert self._near(self._quiet(backend).read(_FIRST, self._region()), before)

    def test_values_that_do_not_fit_are_refused_and_nothing_is_written(self) -> None:
        backend, region = self._programmed(), self._region()
        before = self._quiet(backend).read(_FIRST, region)
        shape = (region.num_rows, region.num_columns)
        for values in (
            torch.full((shape[0], shape[1] + 1), 1e-6),
            torch.full(shape, float("nan")),
            torch.full(shape, float("inf")),
        ):
            assert _is_refused(lambda v=values: backend.pulse(_FIRST, region, v))
            if isinstance(backend, OnChipSet):
                assert _is_refused(lambda v=values: backend.set(_FIRST, region, v))
        response = backend.spec.macro.cell.pulse
        widths = torch.full(shape, 1e-6 if response is None else response.width)
        highest = (response and response.highest_voltage) or 1.0
        for voltages in (
            torch.full((shape[0], shape[1] + 1), highest),
            torch.full(shape, -0.1),
            torch.full(shape, float("nan")),
            torch.full(shape, 1.1 * highest),
        ):
            assert _is_refused(lambda v=voltages: backend.pulse(_FIRST, region, widths, v))
        command = self._command(backend)
        longer = self._values(backend, (1, command.num_inputs + 1))
        assert _is_refused(lambda: backend.mvm(command, DenseCodes(longer, 1), Draw(0)))
        assert self._near(self._quiet(backend).read(_FIRST, region), before)

    def test_many_mvms_at_once_give_what_they_give_one_by_one(self) -> None:
        backend = self._programmed()
        if not isinstance(backend, ManyMvms):
            return
        commands = [self._command(backend), self._command(backend, region=Region(0, 4, 8, 4))]
        codes = self._codes(backend, 5)
        together = backend.mvm_many(commands, codes, Draw(0))
        for command, reading in zip(commands, together, strict=True):
            assert self._close(reading.sums, backend.mvm(command, codes, Draw(0)).sums)

    def test_a_copy_goes_its_own_way(self) -> None:
        backend = self._programmed()
        if not isinstance(backend, Copyable):
            return
        before, twin = self._quiet(backend).read(_FIRST, self._region()), backend.copy()
        assert self._near(self._quiet(twin).read(_FIRST, self._region()), before)
        self._write(twin, self._region(), 0.9)
        assert not self._near(self._quiet(twin).read(_FIRST, self._region()), before)
        assert self._near(self._quiet(backend).read(_FIRST, self._region()), before)

    def test_chips_that_were_kept_answer_as_before(self) -> None:
        backend = self._programmed()
        if not isinstance(backend, Storable):
            return
        again = type(backend).from_state(backend.to_state())
        command, codes = self._command(backend), self._codes(backend, 5)
        answers: list[Reading] = [chip.mvm(command, codes, Draw(3)) for chip in (backend, again)]
        assert self._close(answers[0].sums, answers[1].sums)

    def _programmed(self) -> Backend:
        """A backend whose region holds other conductances from cell to cell."""
        backend, region = self.make(), self._region()
        targets = self._targets(backend, region)
        strategy = DirectSet() if isinstance(backend, OnChipSet) else WriteVerify()
        strategy.write(backend, _FIRST, region, targets)
        return backend

    def _write(self, backend: Backend, region: Region, share: float) -> None:
        cell = backend.spec.macro.cell
        shape = (region.num_rows, region.num_columns)
        targets = torch.full(shape, cell.g_min + share * (cell.g_max - cell.g_min), dtype=torch.float64)
        strategy = DirectSet() if isinstance(backend, OnChipSet) else WriteVerify()
        strategy.write(backend, _FIRST, region, targets)

    def _quiet(self, backend: Backend) -> Backend:
        return backend.quiet() if isinstance(backend, Quietable) else backend

    def _region(self) -> Region:
        return Region(0, 0, 8, 8)

    def _targets(self, backend: Backend, region: Region) -> torch.Tensor:
        cell = backend.spec.macro.cell
        drawn = torch.rand(
            region.num_rows,
            region.num_columns,
            generator=derive_generator(0, "targets"),
            dtype=torch.float64,
        )
        return cell.g_min + drawn * (cell.g_max - cell.g_min)

    def _command(
        self, backend: Backend, address: MacroAddress | None = None, region: Region | None = None
    ) -> MvmCommand:
        macro = backend.spec.macro
        pairing: Pairing = macro.pairing
        cell = macro.cell
        levels = (cell.num_levels or 8) - 1
        inputs = InputFormat(macro.input_modes[0], self.bits, macro.readout.is_signed)
        return MvmCommand(
            address=_FIRST if address is None else address,
            region=region or self._region(),
            inputs=inputs,
            wiring=Wiring(pairing),
            integration_time=1.0 if macro.readout.integrator or not macro.readout.code_range else 0.01,
            level_step=(cell.g_max - cell.g_min) / levels,
        )

    def _values(self, backend: Backend, shape: tuple[int, ...]) -> torch.Tensor:
        inputs = self._command(backend).inputs
        lowest = -inputs.largest if inputs.is_signed else 0
        generator = derive_generator(0, "values", *shape)
        return torch.randint(lowest, inputs.largest + 1, shape, generator=generator).float()

    def _codes(self, backend: Backend, num_vectors: int) -> DenseCodes:
        values = self._values(backend, (num_vectors, self._command(backend).num_inputs))
        return DenseCodes(values, num_vectors)

    def _close(self, sums: torch.Tensor, others: torch.Tensor) -> bool:
        return torch.allclose(sums.double(), others.double(), rtol=1e-5, atol=1e-4 + self.code_tolerance)

    def _near(self, conductance: torch.Tensor, other: torch.Tensor) -> bool:
        return torch.allclose(conductance, other, rtol=0, atol=self.read_tolerance)


_FIRST = MacroAddress(0, 0, 0)


def _is_refused(ask: Callable[[], object]) -> bool:
    try:
        ask()
    except BackendError:
        return True
    return False
