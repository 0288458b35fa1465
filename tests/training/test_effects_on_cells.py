"""Effects on cells against the chips that they stand for: what programming leaves, faults, and wires."""

import pytest
import torch
from effects_layer import LARGEST, SYSTEM

from crossloom.backends import SimulatedBackend
from crossloom.devices import Delivered, make_device
from crossloom.hardware import DenseCodes, Draw, InputFormat, MvmCommand, Region, Wiring
from crossloom.programming import plan_programming, program
from crossloom.spec import MacroAddress, MultiLevel, SystemSpec, load_device, load_system
from crossloom.training.effects import IrDrop, ProgrammingErrors, StuckCells
from crossloom.training.effects.cell_states import programmed
from flows import CELL, MACRO, noisy_system, normal, place_graph
from small_graphs import linear_graph

FIRST = MacroAddress(0, 0, 0)
NUM_PASSES = 8


def system_of(name: str) -> SystemSpec:
    """The first chip, with its own cells or those of a published device."""
    if name == "tsinghua_c200":
        return load_system(name)
    return load_system("tsinghua_c200", {CELL: load_device(name).cell.model_dump()})


def deviations(name: str) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Of the cells of one programmed chip and of eight passes from their targets, and the targets: S, [..., cell]."""
    system, generator = system_of(name), torch.Generator().manual_seed(0)
    weight = torch.rand(64, 512, generator=generator) * 2 - 1
    placement = place_graph(linear_graph(weight), normal(8, 512), system)
    backend = program(placement, SimulatedBackend(system, 0)).backend
    tiles = plan_programming(placement).tiles
    assert isinstance(backend, SimulatedBackend)
    target = torch.cat([tile.targets.flatten() for tile in tiles])
    chip = torch.cat([backend.conductance(tile.address, tile.region).flatten() for tile in tiles])
    torch.manual_seed(0)
    passes = [ProgrammingErrors().on_cells(target.view(-1, 64), system.macro) for _ in range(NUM_PASSES)]
    return chip - target, torch.stack(passes).flatten(1) - target, target


@pytest.mark.parametrize(
    "name", ["tsinghua_c200", "neurram_wan", "milo2021", "sonos_agrawal", "pcm_nandakumar"]
)
def test_programming_errors_are_those_that_programming_leaves(name):
    """65,536 cells of a chip of seed 0 and 8 passes over them, level by level (at least 3,000 cells each).

    Means within 5 standard errors plus 1 % of the deviation; variances within 5 standard errors of a normal sample
    (6 % at all cells together), plus 2 %: write-verify leaves up to its tolerance besides, 0.8 % of the variance
    on tsinghua_c200.
    """
    chip, passes, target = deviations(name)
    for level in target.unique():
        which = target == level
        one, many = chip[which], passes[:, which]
        number, spread = len(one), many.std().item()
        assert number >= 3000
        error = spread * (1 / number + 1 / many.numel()) ** 0.5
        assert abs(one.mean() - many.mean()) <= 5 * error + 0.01 * spread
        # Cells that stop at zero, or drift, have tails of their own: the standard error is that of their squares.
        squares = (one - one.mean()).square()
        assert abs(one.var() - many.var()) <= 5 * 1.1 * squares.std() / number**0.5 + 0.02 * spread**2


RELAXED = {"kind": "logarithmic", "shift_slope": -1e-7, "spread_slope": 1e-7, "spread": 1e-7}
NU = {"slope": -0.01, "intercept": 0.05, "low": 0.02, "high": 0.1}
BOTH = noisy_system(
    programming_error={"coefficients": (1e-6, 0.05)},
    relaxation=RELAXED,
    drift={"mean": NU, "spread": NU, "reference_time": 20.0, "scale": 1e-4},
    stuck_low=0.01,
).macro.cell


@pytest.mark.parametrize("elapsed", [0.0, 0.5, 1.0, 3600.0, 1e6])
@pytest.mark.parametrize("name", ["neurram_wan", "pcm_nandakumar", "cmo_hfox", "relaxation and drift"])
def test_the_shortcut_for_gaussian_cells_is_what_the_model_itself_does(name, elapsed):
    """30,000 cells at three conductances, seed 0: means and variances within 5 standard errors of their difference."""
    cell = BOTH if name == "relaxation and drift" else load_device(name).cell
    model, shape = make_device(cell), (100, 100)
    assert isinstance(model, Delivered)
    torch.manual_seed(0)
    for share in (0.0, 0.3, 1.0):
        target = torch.full(shape, cell.g_min + share * (cell.g_max - cell.g_min), dtype=torch.float64)
        state = model.deliver(shape, torch.default_generator, torch.default_generator)
        state = model.relax(
            model.set(state, target, torch.default_generator), elapsed, torch.default_generator
        )
        slow, quick = state.conductance.flatten(), programmed(cell, target, elapsed)[0].flatten()
        assert abs(slow.mean() - quick.mean()) <= 5 * slow.std() * (2 / len(slow)) ** 0.5 + 1e-12
        squares = (slow - slow.mean()).square()
        assert abs(slow.var() - quick.var()) <= 5 * squares.std() * (2 / len(slow)) ** 0.5 + 1e-24


def test_a_share_of_programming_errors_is_that_share_of_the_deviation():
    cells = torch.full((20, 30), 1e-5)
    torch.manual_seed(0)
    whole = ProgrammingErrors().on_cells(cells, SYSTEM.macro) - cells
    torch.manual_seed(0)
    half = ProgrammingErrors(share=0.5).on_cells(cells, SYSTEM.macro) - cells
    torch.testing.assert_close(half, whole / 2, rtol=0, atol=1e-11)


def test_programming_errors_of_another_device_are_its_own():
    """10,000 cells, seed 0: a standard deviation within 4 %."""
    device = load_device("milo2021").cell.device
    torch.manual_seed(0)
    cells = torch.full((100, 100), 5e-5)
    found = ProgrammingErrors(device=device).on_cells(cells, SYSTEM.macro)
    assert (found - cells).std().item() == pytest.approx(4.782321e-6 - 0.009107 * 5e-5, rel=0.04)


def test_cells_drift_further_from_their_targets_the_longer_ago_they_were_programmed():
    """10,000 cells of phase-change memory, seed 0: a day lowers the mean by more than half a level."""
    macro, step = system_of("pcm_nandakumar").macro, 2.5e-5 / LARGEST
    torch.manual_seed(0)
    cells = torch.full((100, 100), 2e-5)
    young, old = (ProgrammingErrors(elapsed=time).on_cells(cells, macro).mean() for time in (1.0, 86_400.0))
    assert (young - old).item() > step / 2


def test_a_chip_and_a_pass_share_what_varies_from_chip_to_chip():
    """Means of 40 passes over 10,000 cells, seed 0, spread by the variation: 0.1 within five standard errors, 0.056."""
    macro = noisy_system(variation=0.1).macro
    torch.manual_seed(0)
    cells = torch.full((100, 100), 2e-5)
    means = torch.stack([ProgrammingErrors().on_cells(cells, macro).mean() / 2e-5 for _ in range(40)])
    assert means.std().item() == pytest.approx(0.1, abs=0.056)


def test_stuck_cells_of_a_device_pass_no_gradient():
    macro = noisy_system(stuck_low=0.2, stuck_high=0.1, programming_error=1e-6).macro
    torch.manual_seed(0)
    cells = torch.full((100, 1000), 2e-5, requires_grad=True)
    reached = ProgrammingErrors().on_cells(cells, macro)
    reached.sum().backward()
    is_stuck = (reached == macro.cell.g_min) | (reached == macro.cell.g_max)
    assert cells.grad is not None
    assert torch.equal(cells.grad, (~is_stuck).float())
    # 100,000 cells, seed 0: five standard errors.
    assert is_stuck.float().mean().item() == pytest.approx(0.3, abs=0.0073)


def test_cells_are_stuck_as_often_as_is_said():
    """100,000 cells, seed 0: five standard errors are 0.0035 and 0.0048."""
    torch.manual_seed(0)
    cells, cell = torch.full((100, 1000), 1e-5), SYSTEM.macro.cell
    held = StuckCells(low=0.05, high=0.1).on_cells(cells, SYSTEM.macro)
    low, high = (held == torch.tensor(cell.g_min)), (held == torch.tensor(cell.g_max))
    assert low.float().mean().item() == pytest.approx(0.05, abs=0.0035)
    assert high.float().mean().item() == pytest.approx(0.1, abs=0.0048)
    assert torch.equal(held[~low & ~high].unique(), torch.tensor([1e-5]))


WIRED = {
    "between": {
        f"{MACRO}.crossbar.wires": {"word_line": 5.0, "bit_line": 3.0, "driver": 10.0, "sense": 20.0}
    },
    "with second ends": {
        f"{MACRO}.crossbar.wires": {"word_line": 5.0, "bit_line": 3.0, "far_driver": 1.0, "far_sense": 2.0}
    },
    "passive": {
        f"{MACRO}.crossbar.wires": {"word_line": 5.0, "bit_line": 3.0},
        f"{MACRO}.crossbar.is_passive": True,
    },
    "access": {f"{CELL}.access": {"resistance": 2e3, "is_gated": False}},
    "access and wires": {
        f"{MACRO}.crossbar.wires": {"word_line": 5.0, "bit_line": 3.0},
        f"{CELL}.access": {"resistance": 2e3, "is_gated": False},
    },
}


def on_chip(system: SystemSpec, targets: torch.Tensor) -> torch.Tensor:
    """The matrix [row, column], S, by which a simulated chip multiplies, asked for input by input."""
    region = Region(0, 0, *targets.shape)
    backend = SimulatedBackend(system)
    backend.set(FIRST, region, targets)
    command = MvmCommand(FIRST, region, InputFormat(MultiLevel(), 2, True), Wiring("none"), 1.0, 1e-6)
    ones = torch.eye(len(targets))
    return backend.mvm(command, DenseCodes(ones, len(ones)), Draw(0)).sums.double() * 1e-6


def random_cells(num_rows: int, num_columns: int) -> torch.Tensor:
    drawn = torch.rand(num_rows, num_columns, generator=torch.Generator().manual_seed(0))
    return 1e-6 + 9e-5 * drawn.double()


@pytest.mark.parametrize("overrides", WIRED.values(), ids=WIRED.keys())
def test_wires_make_of_a_layer_what_they_make_of_a_simulated_chip(overrides):
    """To 1e-6 of the largest entry: chips of ideal converters multiply in float32."""
    system, cells = noisy_system({f"{MACRO}.readout": {"bits": None}, **overrides}), random_cells(40, 16)
    chip, trained = on_chip(system, cells), IrDrop().on_cells(cells, system.macro)
    assert (trained - cells).abs().max() > 1e-3 * cells.max()
    assert (trained - chip).abs().max() <= 1e-6 * chip.max()
    assert (IrDrop().on_cells(cells.float(), system.macro) - chip).abs().max() <= 1e-6 * chip.max()


def test_quick_wires_are_right_to_first_order():
    """With a hundredth of the resistance the error falls ten thousandfold: within a factor of 2 of that."""
    cells, errors = random_cells(40, 16), []
    for scale in (1.0, 0.01):
        wires = {
            "word_line": 1.0 * scale,
            "bit_line": 1.0 * scale,
            "driver": 5.0 * scale,
            "sense": 5.0 * scale,
        }
        macro = noisy_system({f"{MACRO}.crossbar.wires": wires}).macro
        exact, quick = (IrDrop(is_exact=choice).on_cells(cells, macro) for choice in (True, False))
        errors.append(((exact - quick).abs().max() / cells.max()).item())
    assert errors[0] < 0.05
    assert errors[1] == pytest.approx(errors[0] * 1e-4, rel=1.0)
    assert errors[1] > 0


def test_a_layer_larger_than_a_crossbar_is_cut_into_crossbars():
    macro = noisy_system(WIRED["between"]).macro
    cells = random_cells(100, 50)
    whole = IrDrop().on_cells(cells, macro)
    torch.testing.assert_close(whole[64:, 32:], IrDrop().on_cells(cells[64:, 32:], macro), rtol=0, atol=0)
    torch.testing.assert_close(whole[:64, :32], IrDrop().on_cells(cells[:64, :32], macro), rtol=0, atol=0)
