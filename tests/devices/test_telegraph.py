"""Random telegraph noise is the two-state chain that it is said to be. 120,000 cells, seed 0, 5 standard errors."""

from math import exp, sqrt

import pytest
import torch

from crossloom.devices import GaussianDevice, read
from crossloom.seeds import derive_generator
from crossloom.spec import CellSpec, GaussianDeviceSpec, TelegraphNoiseSpec

SHAPE = (400, 300)
NUM_CELLS = SHAPE[0] * SHAPE[1]
CAPTURE, EMISSION = 3.0, 1.0
OCCUPANCY, RATE = EMISSION / (CAPTURE + EMISSION), 1 / CAPTURE + 1 / EMISSION
TARGET = 2e-5


def generator(name: str) -> torch.Generator:
    return derive_generator(0, name)


def cells(amplitude: float = 0.1, affected: float = 1.0, **fields):
    noise = TelegraphNoiseSpec(
        amplitude=amplitude, capture_time=CAPTURE, emission_time=EMISSION, affected=affected
    )
    spec = GaussianDeviceSpec(telegraph_noise=noise, **fields)
    model = GaussianDevice(spec, CellSpec(g_min=1e-6, g_max=4e-5, device=spec))
    state = model.deliver(SHAPE, generator("cells"), generator("chip"))
    return model, model.set(state, torch.full(SHAPE, TARGET, dtype=torch.float64), generator("set"))


def filled(state) -> torch.Tensor:
    return (state.conductance < TARGET * 0.99).double()


def assert_share(found: float, expected: float) -> None:
    assert abs(found - expected) < 5 * sqrt(expected * (1 - expected) / NUM_CELLS) + 1e-12


@pytest.mark.parametrize("elapsed", [0.0, 0.01, 0.5, 100.0])
def test_traps_are_filled_for_their_stationary_share_from_the_start_and_ever_after(elapsed):
    model, state = cells()
    state = model.relax(state, elapsed, generator("relax"))
    assert_share(filled(state).mean().item(), OCCUPANCY)


@pytest.mark.parametrize("lag", [0.1, 0.75, 2.0])
@pytest.mark.parametrize("num_steps", [1, 4])
def test_a_trap_forgets_its_state_with_the_sum_of_both_rates(lag, num_steps):
    """Autocorrelation exp(-t (1 / capture + 1 / emission)), whether time passes at once or in steps."""
    model, state = cells()
    before, draws = filled(state), generator("relax")
    for _ in range(num_steps):
        state = model.relax(state, lag / num_steps, draws)
    variance = OCCUPANCY * (1 - OCCUPANCY)
    product = (before - OCCUPANCY) * (filled(state) - OCCUPANCY)
    slack = 5 * product.std().item() / NUM_CELLS**0.5
    assert abs(product.mean().item() - variance * exp(-RATE * lag)) < slack


def test_empty_traps_fill_at_the_rate_of_capture():
    model, state = cells()
    empty = filled(state) == 0
    after = filled(model.relax(state, 0.3, generator("relax")))[empty]
    expected = OCCUPANCY * (1 - exp(-RATE * 0.3))
    assert abs(after.mean().item() - expected) < 5 * sqrt(expected / len(after))


def test_reads_at_the_same_moment_agree_and_later_ones_do_not():
    model, state = cells()
    first, second = (read(model, state, generator(name)) for name in ("one", "two"))
    assert torch.equal(first, second)
    later = read(model, model.relax(state, 1.0, generator("relax")), generator("one"))
    assert not torch.equal(first, later)


def test_a_filled_trap_takes_its_share_of_the_conductance():
    _, state = cells(amplitude=0.25)
    assert torch.unique(state.conductance).tolist() == pytest.approx([0.75 * TARGET, TARGET])


def test_only_the_given_share_of_cells_has_a_trap():
    model, state = cells(affected=0.2)
    ever = filled(state)
    draws = generator("relax")
    for _ in range(20):
        state = model.relax(state, 50.0, draws)
        ever = ever.maximum(filled(state))
    # after 21 looks a trap was filled at least once but for 0.75^21, one in 400
    assert_share(ever.mean().item(), 0.2 * (1 - (1 - OCCUPANCY) ** 21))


def test_writing_a_cell_leaves_its_trap_as_it_is():
    model, state = cells()
    before = filled(state)
    again = model.set(state, torch.full(SHAPE, TARGET, dtype=torch.float64), generator("again"))
    assert torch.equal(filled(again), before)
