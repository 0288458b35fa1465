"""Write-verify meets real behaviour: cells of measured statistics, of jump tables, of soft bounds, on simulated chips.

64 x 64 cells each; seeds are fixed.
"""

import pytest
import torch

from crossloom.backends import SimulatedBackend
from crossloom.hardware import Region
from crossloom.programming import IncrementalStep, Strategy, WriteVerify, Written
from crossloom.seeds import derive_generator
from crossloom.spec import MacroAddress, load_system

MACRO, REGION = MacroAddress(0, 0, 0), Region(0, 0, 64, 64)
SHAPE = (REGION.num_rows, REGION.num_columns)


def chips(cell: dict, seed: int = 0) -> SimulatedBackend:
    crossbar = "chip.core.macro.crossbar"
    sizes = {f"{crossbar}.num_rows": 64, f"{crossbar}.num_columns": 64}
    return SimulatedBackend(load_system("ideal", {f"{crossbar}.cell": cell, **sizes}), seed)


def cell_of(device: dict, g_min: float, g_max: float, **pulse) -> dict:
    pulse = {"width": 1e-7, "step": 1e-6, "max_width": 1e-6, **pulse}
    return {"g_min": g_min, "g_max": g_max, "pulse": pulse, "device": device}


def jump_table() -> dict:
    """Jumps like those of TaOx: far up from low conductances, down from high ones, with a spread of half of that."""
    bins = [i * 1e-5 for i in range(1, 12)]
    points = [i / 10 for i in range(11)]
    up = [[(1.2e-4 - g) * 0.2 * (0.5 + p) for g in bins] for p in points]
    down = [[-g * 0.2 * (1.5 - p) for g in bins] for p in points]
    make = {"conductance": bins, "probability": points}
    return {"increasing": {**make, "change": up}, "decreasing": {**make, "change": down}}


SOFT = {
    "kind": "soft_bounds",
    "up": 1e-6,
    "down": 1e-6,
    "bound": 5e-5,
    "pulse_spread": 0.3,
    "device_spread": 0.2,
}
CELLS = {
    "soft bounds": cell_of(SOFT, 1e-6, 4e-5),
    "jump table": cell_of(
        {"kind": "jump_table", "table": jump_table()}, 1e-5, 1.1e-4, step=2e-5, max_width=1e-7
    ),
}
SYNAPTOGEN = cell_of({"kind": "synaptogen"}, 2e-5, 1.8e-4, step=1e-4, voltage=0.5, max_voltage=1.6)


def write(
    backend: SimulatedBackend, targets: torch.Tensor, strategy: Strategy
) -> tuple[Written, torch.Tensor]:
    written = strategy.write(backend, MACRO, REGION, targets)
    return written, backend.conductance(MACRO, REGION) - targets


def levels(cell: dict, num_levels: int) -> torch.Tensor:
    """Targets at evenly spaced levels of the window, at random."""
    drawn = torch.randint(0, num_levels, SHAPE, generator=derive_generator(0, "levels")).double()
    return cell["g_min"] + drawn * (cell["g_max"] - cell["g_min"]) / (num_levels - 1)


@pytest.mark.parametrize("name", CELLS)
def test_write_verify_reaches_five_bit_targets(name):
    """Within half a level; 99.9 % of 4,096 cells, none of them beyond 200 pulses."""
    cell = CELLS[name]
    half = (cell["g_max"] - cell["g_min"]) / 62
    written, error = write(chips(cell), levels(cell, 32), WriteVerify(tolerance=half, max_pulses=200))
    assert written.failed.double().mean() < 1e-3
    assert (error.abs() <= half).double().mean() > 0.999
    assert written.pulses.double().mean() > 1


def test_write_verify_brings_synaptogen_cells_to_binary_states():
    """Pulses of the nominal voltage, 1.5 V, do a full SET or RESET: R_HRS above 15 kOhm or R_LRS of 4.5 kOhm.

    Half the window is the tolerance, as for a bit; outliers whose U_SET lies below -1.5 V stay in HRS.
    """
    cell = {**SYNAPTOGEN, "pulse": {**SYNAPTOGEN["pulse"], "voltage": 1.5}}
    targets = torch.where(levels(cell, 2) > 1e-4, 2.2e-4, 1.3e-5)
    written, error = write(chips(cell), targets, WriteVerify(tolerance=5e-5, max_pulses=20))
    assert written.failed.double().mean() < 0.005
    assert (error.abs() <= 5e-5).double().mean() > 0.995
    assert (written.pulses <= 1).double().mean() > 0.98


def test_steps_of_voltage_bring_synaptogen_cells_to_three_bit_targets():
    """Partial RESETs from 0.5 V on in steps of 10 mV, SET again when a cell is passed: 8 levels of 20 to 180 uS.

    Within half a level, reads with the noise of the fit (0.1 to 0.4 uS); 0.4 % are of devices
    that never conduct so well.
    """
    targets = levels(SYNAPTOGEN, 8)
    half = 1.6e-4 / 14
    strategy = IncrementalStep(tolerance=half, max_pulses=200, voltage_step=0.01)
    written, error = write(chips(SYNAPTOGEN), targets, strategy)
    assert written.failed.double().mean() < 0.01
    assert (error.abs() <= 1.2 * half).double().mean() > 0.99


@pytest.mark.parametrize("name", [*CELLS, "synaptogen"])
def test_chips_set_such_cells_on_their_own_too(name):
    cell = {**CELLS, "synaptogen": SYNAPTOGEN}[name]
    backend, targets = chips(cell), levels(cell, 8)
    backend.set(MACRO, REGION, targets)
    error = backend.conductance(MACRO, REGION) - targets
    assert (error.abs() <= (cell["g_max"] - cell["g_min"]) / 14).double().mean() > 0.98


@pytest.mark.parametrize("name", [*CELLS, "synaptogen"])
def test_chips_of_such_cells_are_kept_whole(name):
    """What cells remember travels with them: the same pulses do the same to the chips and to those made again."""
    cell = {**CELLS, "synaptogen": SYNAPTOGEN}[name]
    backend = chips(cell)
    backend.set(MACRO, REGION, levels(cell, 8))
    again = SimulatedBackend.from_state(backend.to_state())
    widths = torch.full(SHAPE, -1e-7, dtype=torch.float64)
    for chip in (backend, again):
        chip.pulse(MACRO, REGION, widths)
    assert torch.equal(backend.conductance(MACRO, REGION), again.conductance(MACRO, REGION))
    assert not torch.equal(backend.conductance(MACRO, REGION), levels(cell, 8))
