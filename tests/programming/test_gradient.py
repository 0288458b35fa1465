"""Programming against outputs: no cell is ever read, and what outputs suffer from is made up for."""

import pytest
import torch

from crossloom.backends import MockBackend, SimulatedBackend
from crossloom.circuits import effective_array
from crossloom.errors import BackendError, ConfigError, ProgramError
from crossloom.hardware import DenseCodes, Draw, InputFormat, MvmCommand, Region, Wiring
from crossloom.programming import GradientProgramming, WriteVerify, program
from crossloom.programming.strategies.outputs import OutputProbe
from crossloom.runtime import run
from crossloom.spec import MacroAddress, MultiLevel
from flows import CELL, MACRO, noisy_system, normal, place_graph
from small_graphs import chain_graph

FIRST, REGION = MacroAddress(0, 0, 0), Region(0, 0, 30, 20)
PAIRINGS = ["rows", "columns", "none"]


def targets(num_rows: int = 30, num_columns: int = 20) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return 1e-5 + 8e-5 * torch.rand(num_rows, num_columns, generator=generator, dtype=torch.float64)


def matrix(conductance: torch.Tensor, pairing: str) -> torch.Tensor:
    """In siemens, [input, output]."""
    return effective_array(conductance, None, Wiring(pairing), 1.0).matrix


def system(pairing="none", readout=None, **device):
    return noisy_system({f"{MACRO}.pairing": pairing}, readout={"bits": 10, **(readout or {})}, **device)


class Misread(SimulatedBackend):
    """Chips whose read path tells 30 % too much; `read` of the cells themselves is `conductance`."""

    def read(self, address, region):
        return 1.3 * super().read(address, region)


class Unread(SimulatedBackend):
    """Chips without a read path."""

    def read(self, address, region):
        raise BackendError("these chips have no read path")


@pytest.mark.parametrize("pairing", PAIRINGS)
def test_products_become_those_of_the_targets_without_a_single_read(pairing):
    backend = Unread(system(pairing, pulse_spread=0.3))
    written = GradientProgramming(tolerance=1e-6).write(backend, FIRST, REGION, targets())
    error = matrix(backend.conductance(FIRST, REGION) - targets(), pairing)
    assert not written.failed.any()
    assert written.num_reads == 0
    assert error.square().mean().sqrt() < 1e-6
    assert error.abs().max() < 3e-6


@pytest.mark.parametrize("pairing", PAIRINGS)
def test_estimates_are_the_errors_of_the_cells(pairing):
    """With exact converters, and as many vectors as twice the unknowns, to rounding."""
    backend = MockBackend(system(pairing))
    backend.set(FIRST, REGION, targets() + 1e-6 * normal(30, 20))
    probe = OutputProbe(backend, FIRST, REGION, targets(), None, 0)
    found = matrix(probe.errors(0), pairing) / probe.cells_per_entry
    wanted = matrix(backend.read(FIRST, REGION) - targets(), pairing)
    torch.testing.assert_close(found, wanted, rtol=1e-6, atol=1e-12)


def test_the_step_follows_the_gradient_of_the_error_of_the_products():
    """Beside autograd: the estimate is (X^T X)^-1 times the gradient of the squared error, so it descends."""
    backend = MockBackend(system())
    cells = targets() + 5e-6 * normal(30, 20).double()
    backend.set(FIRST, REGION, cells)
    probe = OutputProbe(backend, FIRST, REGION, targets(), 200, 0)
    inputs, free = probe._codes, cells.clone().requires_grad_()
    ((inputs @ (free - targets())).square().sum() / 2).backward()
    centred = inputs - inputs.mean(0)  # an offset of every output is fitted beside the cells
    gradient = centred.T @ (inputs @ (cells - targets()))
    torch.testing.assert_close(centred.T @ centred @ probe.errors(0), gradient, rtol=1e-4, atol=1e-9)
    assert (probe.errors(0) * free.grad).sum() > 0


def test_a_biased_read_path_misleads_write_verify_and_not_this():
    errors = []
    for strategy in (WriteVerify(tolerance=1e-6), GradientProgramming(tolerance=1e-6)):
        backend = Misread(system(pulse_spread=0.3))
        strategy.write(backend, FIRST, REGION, targets())
        errors.append((backend.conductance(FIRST, REGION) - targets()).square().mean().sqrt().item())
    assert errors[0] > 1e-5
    assert errors[1] < 1e-6


def test_read_noise_that_defeats_write_verify_averages_out():
    """Read noise of 3 uS, tolerance 1 uS: 600 cells, seed 0."""
    errors = []
    for strategy in (WriteVerify(tolerance=1e-6), GradientProgramming(tolerance=1e-6, num_vectors=2000)):
        backend = SimulatedBackend(system(read_noise=3e-6, pulse_spread=0.3))
        strategy.write(backend, FIRST, REGION, targets())
        errors.append((backend.conductance(FIRST, REGION) - targets()).square().mean().sqrt().item())
    assert errors[0] > 2.5e-6
    assert errors[1] < 8e-7


def test_errors_of_converters_are_made_up_for():
    """Gains 5 % and offsets 4 codes off from column to column: products as wanted, after either way of writing."""
    spec = system(readout={"gain_error": 0.05, "offset": 4.0})
    command = MvmCommand(FIRST, REGION, InputFormat(MultiLevel(), 2, True), Wiring("none"), 4.0, 1e-5)
    codes = DenseCodes(2.0 * torch.randint(0, 2, (500, 30)) - 1, 500)
    wanted = 4.0 * codes.values.double() @ targets() / 1e-5
    errors = []
    for strategy in (WriteVerify(tolerance=5e-7), GradientProgramming(tolerance=5e-7)):
        backend = SimulatedBackend(spec, seed=1)
        strategy.write(backend, FIRST, REGION, targets())
        sums = backend.mvm(command, codes, Draw(0)).sums.double()
        error = sums - wanted
        errors.append((error - error.mean(0)).square().mean().sqrt().item())
    assert errors[1] < 0.6 * errors[0]


def test_the_partner_of_a_stuck_cell_takes_its_part():
    errors = []
    for strategy in (WriteVerify(tolerance=1e-6), GradientProgramming(tolerance=1e-6)):
        backend = SimulatedBackend(system("rows", stuck_high=0.03, pulse_spread=0.3), seed=2)
        strategy.write(backend, FIRST, REGION, targets())
        error = matrix(backend.conductance(FIRST, REGION) - targets(), "rows")
        errors.append(error.square().mean().sqrt().item())
    assert errors[0] > 3e-6
    assert errors[1] < 0.3 * errors[0]


def test_what_a_start_left_of_both_cells_of_a_pair_stays_near():
    start = WriteVerify(tolerance=5e-6)
    backend = SimulatedBackend(system("columns", pulse_spread=0.3))
    written = GradientProgramming(tolerance=1e-6, start=start, keep_trajectory=True).write(
        backend, FIRST, REGION, targets()
    )
    error = backend.conductance(FIRST, REGION) - targets()
    assert error.abs().max() < 1e-5
    assert matrix(error, "columns").square().mean().sqrt() < 1e-6
    assert written.num_reads > 0
    assert written.trajectory.shape[1:] == (30, 20)


def test_an_odd_region_on_paired_rows_is_taken_row_by_row():
    backend = SimulatedBackend(system("rows"))
    written = GradientProgramming(tolerance=1e-6).write(backend, FIRST, Region(0, 0, 7, 5), targets(7, 5))
    assert not written.failed.any()
    assert (backend.conductance(FIRST, Region(0, 0, 7, 5)) - targets(7, 5)).abs().max() < 2e-6


def test_converters_without_a_sign_get_inputs_without_one():
    spec = noisy_system(
        {f"{MACRO}.pairing": "none", f"{MACRO}.dac.is_signed": False},
        readout={"bits": 12, "is_signed": False},
    )
    backend = SimulatedBackend(spec)
    written = GradientProgramming(tolerance=2e-6).write(backend, FIRST, REGION, targets())
    assert not written.failed.any()
    assert (backend.conductance(FIRST, REGION) - targets()).square().mean().sqrt() < 2e-6


def test_a_network_programmed_by_its_outputs_answers_as_one_written_and_verified():
    inputs = normal(40, 20)
    graph = chain_graph(normal(10, 20, seed=1), normal(4, 10, seed=2))
    spec = noisy_system(pulse_spread=0.3)
    placement = place_graph(graph, inputs, spec)
    answers = []
    for strategy in (None, WriteVerify(tolerance=1e-6), GradientProgramming(tolerance=1e-6)):
        backend = MockBackend(spec) if strategy is None else SimulatedBackend(spec)
        answers.append(run(program(placement, backend, strategy), inputs).outputs)
    exact, verified, descended = answers
    power = exact.square().mean()
    assert (verified - exact).square().mean() / power < 0.02
    assert (descended - exact).square().mean() / power < 0.02


def test_the_same_seed_gives_the_same_cells():
    found = []
    for seed in (0, 0, 1):
        backend = SimulatedBackend(system(read_noise=1e-6))
        GradientProgramming(seed=seed, max_pulses=5).write(backend, FIRST, REGION, targets())
        found.append(backend.conductance(FIRST, REGION))
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_steps_are_limited_and_what_is_left_has_failed():
    backend = SimulatedBackend(system())
    written = GradientProgramming(tolerance=1e-7, max_pulses=2).write(backend, FIRST, REGION, targets())
    assert written.pulses.max() == 2
    assert written.failed.any()


@pytest.mark.parametrize(
    ("choices", "named"),
    [
        ({"rate": 0.0}, "rate"),
        ({"rate": 1.5}, "rate"),
        ({"rate": float("nan")}, "rate"),
        ({"num_vectors": 1}, "num_vectors"),
        ({"tolerance": -1.0}, "tolerance"),
        ({"max_pulses": 0}, "max_pulses"),
    ],
)
def test_impossible_choices_are_refused_by_name(choices, named):
    with pytest.raises(ConfigError, match=named):
        GradientProgramming(**choices)


def test_cells_of_unknown_response_are_refused_before_any_call():
    mock = MockBackend(noisy_system({f"{CELL}.pulse": None}))
    with pytest.raises(ProgramError, match="use DirectSet"):
        GradientProgramming().write(mock, FIRST, REGION, targets())
    assert not mock.calls
