"""Half-selected cells move, and go on ageing as they did."""

import torch

from crossloom.backends import SimulatedBackend
from crossloom.hardware import Region
from crossloom.spec import MacroAddress
from flows import CELL, noisy_system

FIRST = MacroAddress(0, 0, 0)
WHOLE = Region(0, 0, 8, 8)
RELAXATION = {"kind": "logarithmic", "shift_slope": -1e-6, "spread_slope": 5e-7, "spread": 1e-7}


def test_a_half_selected_cell_is_moved_but_not_written():
    pulse = {"width": 1e-7, "step": 1e-6, "max_width": 1e-5, "half_select": 1e-2}
    system = noisy_system(
        {f"{CELL}.pulse": pulse}, relaxation=RELAXATION, endurance={"window_life": 1e6}, pulse_spread=0.0
    )
    backend = SimulatedBackend(system)
    backend.set(FIRST, WHOLE, torch.full((8, 8), 5e-5, dtype=torch.float64))
    backend.wait(1000.0)
    alone = backend.copy()
    before = backend.conductance(FIRST, WHOLE).clone()
    widths = torch.zeros(8, 8, dtype=torch.float64)
    widths[3, 3] = 1e-7
    backend.pulse(FIRST, WHOLE, widths)
    own = backend._state(FIRST).cells.own
    assert own["cycles"][3, 4] == own["cycles"][0, 0] == own["cycles"][3, 3] - 1
    assert own["aged"][3, 4] == own["aged"][0, 0] > own["aged"][3, 3]
    moved = backend.conductance(FIRST, WHOLE) - before
    torch.testing.assert_close(moved[3, 4], torch.tensor(1e-8, dtype=torch.float64), rtol=1e-6, atol=0)
    assert moved[0, 0] == 0
    for chips in (backend, alone):
        chips.wait(1000.0)
    later = backend.conductance(FIRST, WHOLE) - alone.conductance(FIRST, WHOLE)
    assert later[3, 4].abs() < 2e-8
