"""The laws that every device model keeps."""

import torch

from crossloom.devices import FREE, CellState, Delivered, DeviceModel, Disturbed, Pulsed, as_new, read
from crossloom.seeds import derive_generator
from crossloom.spec import CellSpec


class DeviceModelSuite:
    """Subclass it as `Test...`, and let `make` return the device model to test.

    shape: the block of cells that is tried, [row, column].  num_reads: over how many reads noise is averaged.
    largest_error: the root mean square error of `set`, as a share of the window, that no model should pass.
    """

    shape = (100, 100)
    num_reads = 64
    largest_error = 0.25

    def make(self) -> DeviceModel:
        """The model to test."""
        raise TypeError(f"{type(self).__name__} must define make()")

    def cell(self) -> CellSpec:
        """The cell that the model describes; override it where the model has no `cell`."""
        return self.make().cell  # type: ignore[attr-defined]

    def test_no_time_changes_nothing(self) -> None:
        for state in self._states():
            same = self.make().relax(state, 0.0, _draw("relax"))
            assert _equal(same, state)

    def test_time_in_two_parts_is_the_same_time_at_once(self) -> None:
        """Mean and variance over cells, within five standard errors of their difference."""
        model = self.make()
        for state in self._states():
            free = state.fault == FREE
            for first, second in ((0.05, 0.2), (3.0, 5e4)):
                half = model.relax(state, first, _draw("first"))
                twice = model.relax(half, second, _draw("second")).conductance[free]
                once = model.relax(state, first + second, _draw("once")).conductance[free]
                _assert_same_moments(twice, once)

    def test_a_block_of_cells_lives_as_those_of_the_whole_do(self) -> None:
        """What a model keeps of its cells goes with them, out of a crossbar and back."""
        model = self.make()
        for state in self._states():
            block = state.block(3, 5, 10, 7)
            assert _equal(state.with_block(3, 5, block), state)
            target = self._target(0.7)[3:13, 5:12]
            changed = model.relax(model.set(block, target, _draw("set")), 1.0, _draw("relax"))
            whole = state.with_block(3, 5, changed)
            assert _equal(whole.block(3, 5, 10, 7), changed)
            assert _equal(whole.block(13, 0, 20, 20), state.block(13, 0, 20, 20))
            assert whole.own.keys() == state.own.keys()

    def test_reading_for_no_time_disturbs_nothing(self) -> None:
        model = self.make()
        if not isinstance(model, Disturbed):
            return
        for state in self._states():
            assert _equal(model.disturb(state, 0.2, 0.0), state)
            disturbed = model.disturb(model.disturb(state, 0.2, 1.0), 0.2, 1e4)
            assert (disturbed.conductance <= state.conductance).all()

    def test_cells_end_within_five_deviations_of_their_targets(self) -> None:
        model, cell = self.make(), self.cell()
        for share in (0.0, 0.3, 1.0):
            target = self._target(share)
            state = model.set(self._new(), target, _draw("set"))
            error = (state.conductance - target)[state.fault == FREE]
            deviation = error.square().mean().sqrt().item()
            assert deviation <= self.largest_error * (cell.g_max - cell.g_min)
            assert (error.abs() <= 5 * deviation).double().mean() > 0.999

    def test_more_is_more(self) -> None:
        """A higher target gives a higher conductance, on average."""
        model, new = self.make(), self._new()
        means = [
            model.set(new, self._target(share), _draw("set")).conductance[new.fault == FREE].mean()
            for share in (0.0, 0.25, 0.5, 0.75, 1.0)
        ]
        assert (torch.stack(means).diff() > 0).all()

    def test_states_are_never_written_into(self) -> None:
        model = self.make()
        for state in self._states():
            before = _copy(state)
            target, widths = self._target(0.5), self._widths(1.0)
            target_before, widths_before = target.clone(), widths.clone()
            after = model.set(state, target, _draw("set"))
            model.relax(state, 1.0, _draw("relax"))
            read(model, state, _draw("read"))
            if self._is_pulsed():
                model.pulse(state, widths, _draw("pulse"))  # type: ignore[attr-defined]
            assert _equal(state, before)
            assert torch.equal(target, target_before)
            assert torch.equal(widths, widths_before)
            kept = _copy(after)
            target.zero_()
            assert _equal(after, kept), "the state holds the caller's own tensor"

    def test_read_noise_averages_out_with_the_root_of_the_number_of_reads(self) -> None:
        model = self.make()
        state = model.relax(self._states()[-1], 1.0, _draw("relax"))
        noise = model.read_noise(state)
        if noise is None or not noise.any():
            assert torch.equal(read(model, state, _draw("read")), state.conductance)
            return
        assert noise.shape == state.shape
        assert (noise >= 0).all()
        generator = _draw("read")
        reads = torch.stack([read(model, state, generator) for _ in range(self.num_reads)])
        is_noisy = noise > 0
        scaled = ((reads - state.conductance) / noise)[:, is_noisy]
        slack = 5 / scaled[0].numel() ** 0.5
        assert abs(scaled[0].square().mean().sqrt().item() - 1) < slack
        assert abs(scaled.mean(0).square().mean().sqrt().item() * self.num_reads**0.5 - 1) < slack

    def test_the_same_generator_gives_the_same_cells(self) -> None:
        model = self.make()
        for state in self._states():
            assert _equal(*(model.set(state, self._target(0.6), _draw("set")) for _ in range(2)))
            assert _equal(*(model.relax(state, 0.05, _draw("relax")) for _ in range(2)))
            assert torch.equal(*(read(model, state, _draw("read")) for _ in range(2)))
        assert _equal(self._new(), self._new())

    def test_stuck_cells_never_move(self) -> None:
        model, state = self.make(), self._new()
        stuck = state.fault != FREE
        where = state.conductance[stuck]
        state = model.set(state, self._target(0.5), _draw("set"))
        assert torch.equal(state.conductance[stuck], where)
        if self._is_pulsed():
            for sign in (1.0, -1.0):
                state = model.pulse(state, self._widths(sign), _draw("pulse"))  # type: ignore[attr-defined]
                assert torch.equal(state.conductance[stuck], where)
        state = model.relax(state, 10.0, _draw("relax"))
        assert torch.equal(state.conductance[stuck], where)
        assert torch.equal(state.fault != FREE, stuck)

    def test_shapes_and_types_are_kept(self) -> None:
        model, state = self.make(), self._new()
        for after in (
            model.set(state, self._target(0.5), _draw("set")),
            model.set(state, self._target(0.5).float(), _draw("set")),
            model.relax(state, 1.0, _draw("relax")),
            *self._states(),
        ):
            for name in ("conductance", "age", "fault"):
                kept, made = getattr(state, name), getattr(after, name)
                assert (made.shape, made.dtype, made.device) == (kept.shape, kept.dtype, kept.device), name
            assert after.chip_factor == state.chip_factor
        assert read(model, state, _draw("read")).shape == state.shape

    def test_conductances_are_finite_and_never_negative(self) -> None:
        model = self.make()
        for state in (*self._states(), model.set(self._new(), self._target(0.0), _draw("low"))):
            assert torch.isfinite(state.conductance).all()
            assert (state.conductance >= 0).all()

    def test_a_pulse_up_raises_and_a_pulse_down_lowers(self) -> None:
        if not self._is_pulsed():
            return
        model = self.make()
        state = model.set(self._new(), self._target(0.5), _draw("set"))
        free = state.fault == FREE
        for sign in (1.0, -1.0):
            after = model.pulse(state, self._widths(sign), _draw("pulse"))  # type: ignore[attr-defined]
            change = (after.conductance - state.conductance)[free]
            assert sign * change.mean() > 0
            assert (sign * change > 0).double().mean() > 0.9

    def test_a_pulse_of_no_width_leaves_a_cell_alone(self) -> None:
        if not self._is_pulsed():
            return
        model, state = self.make(), self._states()[-1]
        widths = self._widths(1.0)
        widths[::2] = 0
        after = model.pulse(state, widths, _draw("pulse"))  # type: ignore[attr-defined]
        assert torch.equal(after.conductance[::2], state.conductance[::2])
        assert torch.equal(after.age[::2], state.age[::2])

    def test_a_pulse_of_the_nominal_voltage_is_the_usual_pulse(self) -> None:
        response = self.cell().pulse
        if not self._is_pulsed() or response is None or response.voltage_scale is None:
            return
        model, state, widths = self.make(), self._states()[-1], self._widths(1.0)
        nominal = torch.full_like(widths, response.voltage or 0.0)
        usual = model.pulse(state, widths, _draw("pulse"))  # type: ignore[attr-defined]
        named = model.pulse(state, widths, _draw("pulse"), nominal)  # type: ignore[attr-defined]
        assert torch.allclose(usual.conductance, named.conductance, rtol=1e-9, atol=0)

    def test_a_higher_voltage_does_more_and_none_does_nothing(self) -> None:
        response = self.cell().pulse
        if not self._is_pulsed() or response is None or response.voltage_scale is None:
            return
        model, widths = self.make(), self._widths(1.0)
        state = model.set(self._new(), self._target(0.2), _draw("set"))
        changes = []
        for voltage in (0.0, 0.5 * (response.voltage or 0.0), response.highest_voltage or 0.0):
            voltages = torch.full_like(widths, voltage)
            after = model.pulse(state, widths, _draw("pulse"), voltages)  # type: ignore[attr-defined]
            changes.append((after.conductance - state.conductance)[state.fault == FREE].mean())
        assert abs(changes[0]) <= 1e-9 * abs(changes[2])
        assert changes[0] < changes[1] < changes[2]

    def _new(self) -> CellState:
        model = self.make()
        if isinstance(model, Delivered):
            return model.deliver(self.shape, _draw("cells"), _draw("chip"))
        return as_new(self.shape, self.cell(), torch.device("cpu"))

    def _states(self) -> list[CellState]:
        """Cells as new, once pulsed, half settled, and set."""
        model, new = self.make(), self._new()
        states = [new]
        if self._is_pulsed():
            pulsed = model.pulse(new, self._widths(1.0), _draw("pulse"))  # type: ignore[attr-defined]
            states += [pulsed, model.relax(pulsed, 0.05, _draw("relax"))]
        return [*states, model.set(new, self._target(0.5), _draw("set"))]

    def _is_pulsed(self) -> bool:
        return isinstance(self.make(), Pulsed) and self.cell().pulse is not None

    def _target(self, share: float) -> torch.Tensor:
        cell = self.cell()
        level = cell.g_min + share * (cell.g_max - cell.g_min)
        return torch.full(self.shape, level, dtype=torch.float64)

    def _widths(self, sign: float) -> torch.Tensor:
        pulse = self.cell().pulse
        width = sign * pulse.width if pulse else sign * 1e-6
        return torch.full(self.shape, width, dtype=torch.float64)


def _draw(event: str) -> torch.Generator:
    return derive_generator(0, "suite", event)


def _assert_same_moments(one: torch.Tensor, other: torch.Tensor) -> None:
    rounding = 1e-9 * other.abs().max().item()
    moments = [(sample.mean(), (sample - sample.mean()).square()) for sample in (one, other)]
    (mean, squares), (other_mean, other_squares) = moments
    slack = 5 * ((squares.mean() + other_squares.mean()) / one.numel()).sqrt()
    assert (mean - other_mean).abs() <= slack + rounding
    slack = 5 * ((squares.var() + other_squares.var()) / one.numel()).sqrt()
    assert (squares.mean() - other_squares.mean()).abs() <= slack + rounding**2


def _copy(state: CellState) -> CellState:
    own = {name: tensor.clone() for name, tensor in state.own.items()}
    tensors = (state.conductance.clone(), state.age.clone(), state.fault.clone())
    return CellState(*tensors, state.chip_factor, own)


def _equal(state: CellState, other: CellState) -> bool:
    tensors = all(
        torch.equal(getattr(state, name), getattr(other, name)) for name in ("conductance", "age", "fault")
    )
    own = state.own.keys() == other.own.keys() and all(
        torch.equal(tensor, other.own[name]) for name, tensor in state.own.items()
    )
    return tensors and own and state.chip_factor == other.chip_factor
