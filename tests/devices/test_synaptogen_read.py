"""Reading Synaptogen's cells: noise, currents, and a whole array at once."""

import pytest
import torch

from crossloom.devices import MixtureIV, SynaptogenDevice, read
from crossloom.devices.synaptogen import column_currents, column_noise, noise_variance, published_fit
from crossloom.seeds import derive_generator
from crossloom.spec import CellSpec, SynaptogenDeviceSpec

IV = MixtureIV.of(published_fit())
BANDWIDTH, ROOM = 1e8, 300.0


def number(value: float) -> torch.Tensor:
    return torch.tensor(value, dtype=torch.float64)


def make(**fields) -> SynaptogenDevice:
    spec = SynaptogenDeviceSpec(**fields)
    return SynaptogenDevice(spec, CellSpec(g_min=2e-5, g_max=1.8e-4, device=spec))


def array(num_rows: int, num_columns: int) -> torch.Tensor:
    """Conductances of cells after SET and after RESET, at random."""
    draws = derive_generator(0, "array")
    drawn = torch.rand(num_rows, num_columns, generator=draws, dtype=torch.float64)
    return 5e-6 + drawn * 2.2e-4


def test_noise_is_45_nA_at_50_uA():
    """devices.md section 1: 1e8 Hz, 0.2 V; a public port's 39.5 times as much would be 1.8 uA."""
    variance = noise_variance(number(50e-6 / 0.2), number(0.2), BANDWIDTH, ROOM)
    assert variance.sqrt().item() == pytest.approx(45e-9, rel=0.01)


def test_noise_of_reads_has_its_thermal_and_its_shot_part():
    """100 x 100 cells x 40 reads at 0.2 V; 5 deviations of a variance."""
    model = make()
    state = model.deliver((100, 100), derive_generator(0, "cells"), derive_generator(0, "chip"))
    draws = derive_generator(0, "read")
    reads = torch.stack([read(model, state, draws) for _ in range(40)])
    current = 0.2 * state.conductance
    expected = (4 * 1.380649e-23 * 300 * current / 0.2 + 2 * 1.602176634e-19 * current) * 1e8 / 0.2**2
    ratio = ((reads - state.conductance).square() / expected).mean().item()
    assert ratio == pytest.approx(1, abs=5 * (2 / reads.numel()) ** 0.5)


def test_without_a_bandwidth_reads_are_exact():
    model = make(bandwidth=None)
    state = model.deliver((4, 4), derive_generator(0, "cells"), derive_generator(0, "chip"))
    assert model.read_noise(state) is None


def test_the_static_conductance_is_the_current_at_its_own_voltage():
    conductance = array(5, 6)
    current, _ = IV.current(conductance, number(IV.voltage))
    assert torch.allclose(current, conductance * IV.voltage, rtol=1e-12, atol=0)
    again = IV.conductance_through(*(IV.current(conductance, number(1.1))[0], number(1.1)))
    assert torch.allclose(again, conductance, rtol=1e-9, atol=0)


def test_slopes_are_derivatives():
    conductance, step = array(5, 6), 1e-6
    for voltage in (-1.2, -0.2, 0.0, 0.3, 1.0):
        _, slope = IV.current(conductance, number(voltage))
        above, below = (IV.current(conductance, number(voltage + s))[0] for s in (step, -step))
        assert torch.allclose(slope, (above - below) / (2 * step), rtol=1e-6, atol=1e-12)


def test_currents_broadcast_over_inputs():
    model = make()
    state = model.deliver((3, 4), derive_generator(0, "cells"), derive_generator(0, "chip"))
    voltages = torch.linspace(-0.5, 0.5, 5, dtype=torch.float64)[:, None, None]
    currents = model.currents(state, voltages)
    assert currents.shape == (5, 3, 4)
    assert torch.equal(currents[2], torch.zeros(3, 4, dtype=torch.float64))
    assert torch.equal(currents[4], IV.current(state.conductance, number(0.5))[0])


def slow_array(conductance: torch.Tensor, inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Cell by cell: currents and variances of columns, [vector, column]."""
    num_rows, num_columns = conductance.shape
    currents = torch.zeros(len(inputs), num_columns, dtype=torch.float64)
    variances = torch.zeros_like(currents)
    for vector in range(len(inputs)):
        for row in range(num_rows):
            voltage = inputs[vector, row]
            for column in range(num_columns):
                current = IV.current(conductance[row, column], voltage)[0]
                currents[vector, column] += current
                thermal = 4 * 1.380649e-23 * ROOM * (current / voltage).abs()
                variances[vector, column] += (thermal + 2 * 1.602176634e-19 * current.abs()) * BANDWIDTH
    return currents, variances


def test_a_whole_array_reads_as_its_cells_one_by_one_do():
    conductance = array(7, 5)
    draws = derive_generator(0, "inputs")
    inputs = torch.rand(4, 7, generator=draws, dtype=torch.float64) * 1.2 - 0.6
    currents, variances = slow_array(conductance, inputs)
    assert torch.allclose(column_currents(IV, conductance, inputs), currents, rtol=1e-12, atol=1e-18)
    found = column_noise(IV, conductance, inputs, BANDWIDTH, ROOM)
    assert torch.allclose(found, variances, rtol=1e-12, atol=0)


def test_rows_at_0_V_carry_no_current_but_thermal_noise():
    conductance, inputs = array(6, 3), torch.zeros(6, dtype=torch.float64)
    assert torch.equal(column_currents(IV, conductance, inputs), torch.zeros(3, dtype=torch.float64))
    slope = IV.current(conductance, number(0.0))[1].sum(0)
    expected = 4 * 1.380649e-23 * ROOM * slope * BANDWIDTH
    assert torch.allclose(
        column_noise(IV, conductance, inputs, BANDWIDTH, ROOM), expected, rtol=1e-12, atol=0
    )


def test_gradients_flow_to_conductances_and_voltages():
    conductance, inputs = (
        array(3, 2).requires_grad_(),
        torch.full((3,), 0.3, dtype=torch.float64).requires_grad_(),
    )
    column_currents(IV, conductance, inputs).sum().backward()
    assert (conductance.grad > 0).all()
    assert (inputs.grad > 0).all()
