"""Cells that share a row or a column with a pulsed one meet a share of its pulse."""

import pytest
import torch

from crossloom.backends import SimulatedBackend
from crossloom.backends.half_select import met_by_others
from crossloom.hardware import Region
from crossloom.programming import ProgramTwice, WriteVerify, program
from crossloom.spec import MacroAddress
from flows import CELL, noisy_system, normal, place_graph
from small_graphs import chain_graph

FIRST, WHOLE = MacroAddress(0, 0, 0), Region(0, 0, 64, 32)
PULSE = {"width": 1e-7, "step": 5e-7, "max_width": 1e-5, "voltage": 1.2, "max_voltage": 2.4}


def system(half_select, pulse_spread=0.0, **device):
    pulse = {**PULSE, "voltage_scale": 0.3, "half_select": half_select}
    return noisy_system({f"{CELL}.pulse": pulse}, pulse_spread=pulse_spread, **device)


def slow_met_by_others(shape, region, widths):
    met = torch.zeros(shape, dtype=widths.dtype)
    for row in range(shape[0]):
        for column in range(shape[1]):
            for i in range(region.num_rows):
                for j in range(region.num_columns):
                    same_row, same_column = row == region.row + i, column == region.column + j
                    if same_row != same_column:
                        met[row, column] += widths[i, j]
    return met


@pytest.mark.parametrize("region", [Region(0, 0, 3, 4), Region(1, 2, 2, 2), Region(2, 3, 1, 1)])
def test_row_and_column_sums_are_what_every_cell_meets_one_by_one(region):
    widths = normal(region.num_rows, region.num_columns).double()
    shape = torch.Size((3, 4))
    torch.testing.assert_close(
        met_by_others(shape, region, widths), slow_met_by_others(shape, region, widths)
    )


def test_a_neighbour_moves_by_the_share_and_a_distant_cell_does_not():
    backend = SimulatedBackend(system(0.01))
    backend.set(FIRST, WHOLE, torch.full((64, 32), 5e-5))
    before = backend.conductance(FIRST, WHOLE).clone()
    backend.pulse(FIRST, Region(3, 4, 1, 1), torch.full((1, 1), 1e-6))
    change = backend.conductance(FIRST, WHOLE) - before
    assert change[3, 4].item() == pytest.approx(5e-6)
    disturbed = torch.zeros(64, 32, dtype=torch.float64)
    disturbed[3], disturbed[:, 4] = 5e-8, 5e-8
    disturbed[3, 4] = 5e-6
    torch.testing.assert_close(change, disturbed, rtol=1e-6, atol=1e-18)


def test_a_reset_disturbs_downwards_and_a_higher_voltage_disturbs_more():
    changes = []
    for sign, voltage in ((-1, None), (1, None), (1, 1.8)):
        backend = SimulatedBackend(system(0.01))
        backend.set(FIRST, WHOLE, torch.full((64, 32), 5e-5, dtype=torch.float64))
        voltages = None if voltage is None else torch.full((1, 1), voltage)
        backend.pulse(FIRST, Region(3, 4, 1, 1), sign * torch.full((1, 1), 1e-6), voltages)
        changes.append(backend.conductance(FIRST, Region(3, 9, 1, 1)).item() - 5e-5)
    assert changes[0] == pytest.approx(-changes[1])
    assert changes[2] == pytest.approx(changes[1] * system(0.01).macro.cell.pulse.growth(1.8), rel=1e-6)


def test_gated_cells_are_left_alone():
    for share in (None, 0.0):
        backend = SimulatedBackend(system(share))
        before = backend.conductance(FIRST, WHOLE).clone()
        backend.pulse(FIRST, Region(3, 4, 1, 1), torch.full((1, 1), 1e-6))
        changed = backend.conductance(FIRST, WHOLE) != before
        assert changed.sum() == 1


def test_half_select_leaves_the_draws_of_the_pulse_itself_as_they_were():
    found = []
    for share in (None, 1e-3):
        backend = SimulatedBackend(system(share, pulse_spread=0.5), seed=3)
        backend.pulse(FIRST, Region(3, 4, 1, 1), torch.full((1, 1), 1e-6))
        found.append(backend.conductance(FIRST, Region(3, 4, 1, 1)).item())
    assert found[0] == found[1]


def test_a_disturbed_cell_does_not_settle_anew():
    """What has settled keeps its error: only the pulsed cell draws another."""
    backend = SimulatedBackend(system(1e-9, programming_error=2e-6))
    backend.set(FIRST, WHOLE, torch.full((64, 32), 5e-5))
    before = backend.conductance(FIRST, WHOLE).clone()
    backend.pulse(FIRST, Region(3, 4, 1, 1), torch.full((1, 1), 1e-6))
    backend.wait(10.0)
    change = (backend.conductance(FIRST, WHOLE) - before).abs()
    change[3, 4] = 0
    assert change.max() < 1e-12


def test_write_verify_of_a_whole_crossbar_still_converges():
    """2,048 cells, each of which disturbs 94 others by 0.2 % of its pulse; reads are exact, seed 0."""
    targets = 1e-6 + 9e-5 * torch.rand(
        64, 32, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    pulses = []
    for share in (None, 2e-3):
        backend = SimulatedBackend(system(share, pulse_spread=0.3))
        written = WriteVerify(tolerance=1e-6).write(backend, FIRST, WHOLE, targets)
        assert not written.failed.any()
        assert ((backend.conductance(FIRST, WHOLE) - targets).abs() <= 1e-6).all()
        pulses.append(written.pulses.sum().item())
    assert pulses[1] > pulses[0]


def test_tiles_that_later_ones_disturb_are_brought_back_by_programming_twice():
    spec = system(5e-3, pulse_spread=0.3)
    inputs = normal(10, 12)
    graph = chain_graph(normal(12, 12, seed=1), normal(12, 12, seed=2))
    placement = place_graph(graph, inputs, spec)
    assert len({site.address for site in placement.sites}) < len(placement.sites)
    errors = [
        program(placement, SimulatedBackend(spec), strategy).report.error_std
        for strategy in (WriteVerify(tolerance=1e-6), ProgramTwice(WriteVerify(tolerance=1e-6), rounds=3))
    ]
    assert errors[0] > 1e-6
    assert errors[1] < errors[0] / 2
