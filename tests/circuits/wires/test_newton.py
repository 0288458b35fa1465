"""Crossbars that are not linear, against a slow twin that knows nothing of the fast solver."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from crossloom.circuits import make_curve
from crossloom.circuits.wires import newton, segments
from crossloom.circuits.wires.bias import Bias
from crossloom.circuits.wires.gradients import differentiable_currents
from crossloom.circuits.wires.newton import solve
from crossloom.errors import ConfigError, ConvergenceError
from crossloom.spec import AccessSpec, PolynomialIvSpec, SinhIvSpec, TableIvSpec, Wires
from crossloom.testing.nodal import solve_nodal

CUBIC = PolynomialIvSpec.cubic(0.4)
WIRES = Wires(5.0, 5.0, 20.0, 20.0)
TABLE = TableIvSpec(voltages=(0.0, 0.1, 0.2, 0.5), factors=(0.0, 0.1, 0.25, 1.2))
CURVES = {
    "cubic": (CUBIC, lambda g, v: (g * v * (1 + (v / 0.4) ** 2), g * (1 + 3 * (v / 0.4) ** 2))),
    "quadratic": (
        PolynomialIvSpec.quadratic(0.5),
        lambda g, v: (g * v * (1 + abs(v) / 0.5), g * (1 + 4 * abs(v))),
    ),
    "sinh": (SinhIvSpec(voltage=0.1), lambda g, v: (g * 0.1 * np.sinh(v / 0.1), g * np.cosh(v / 0.1))),
    "table": (TABLE, lambda g, v: _by_table(g, v)),
}


def _by_table(g, v):
    slopes = np.array([1.0, 1.5, 0.95 / 0.3])
    size = abs(v)
    value = np.where(
        size < 0.1, size, np.where(size < 0.2, 0.1 + 1.5 * (size - 0.1), 0.25 + slopes[2] * (size - 0.2))
    )
    return g * value * np.sign(v), g * slopes[np.digitize(size, [0.1, 0.2])]


def crossbar(num_rows: int, num_columns: int, num_vectors: int = 3, seed: int = 0, top: float = 0.5):
    """Conductances from 1 to 100 uS and voltages of both signs."""
    generator = torch.Generator().manual_seed(seed)
    conductance = 1e-6 + 99e-6 * torch.rand(num_rows, num_columns, generator=generator, dtype=torch.float64)
    voltages = top * (2 * torch.rand(num_vectors, num_rows, generator=generator, dtype=torch.float64) - 1)
    return conductance, voltages


def worst(found: torch.Tensor, expected: np.ndarray) -> float:
    return float(np.abs(found.numpy() - expected).max() / max(np.abs(expected).max(), 1e-9))


@pytest.mark.parametrize("wires", [WIRES, Wires(0.0, 300.0), Wires(50.0, 0.0, far_driver=1.0)], ids=str)
@pytest.mark.parametrize("name", CURVES)
def test_currents_and_voltages_obey_kirchhoffs_laws(name, wires):
    iv, current = CURVES[name]
    conductance, voltages = crossbar(9, 7)
    expected = solve_nodal(conductance.numpy(), wires, voltages.numpy(), current)
    found = solve(make_curve(iv), conductance, segments(wires, 9, 7), voltages, with_nodes=True)
    assert worst(found.currents, expected.currents) < 1e-8
    assert worst(found.cell_current, expected.cell_current) < 1e-8
    assert worst(found.word_line, expected.word_line) < 1e-8
    assert worst(found.bit_line, expected.bit_line) < 1e-7


def test_the_residual_is_what_it_says():
    conductance, voltages = crossbar(8, 8)
    ends = segments(WIRES, 8, 8)
    for tolerance in (1e-3, 1e-6, 1e-12):
        found = solve(make_curve(CUBIC), conductance, ends, voltages, tolerance=tolerance, with_nodes=True)
        assert found.residual.max() <= tolerance
        # What the wires bring to every cell of a bit line follows from the voltages along it.
        assert found.bit_line is not None
        drop = found.bit_line[:, -1] / (WIRES.sense + WIRES.bit_line)
        largest = found.cell_current.abs().sum(1).amax(1)
        assert ((found.currents - drop).abs().amax(1) <= 2 * tolerance * largest + 1e-12 * largest).all()


def test_vectors_do_not_depend_on_one_another():
    conductance, voltages = crossbar(10, 12, num_vectors=5)
    ends = segments(WIRES, 10, 12)
    together = solve(make_curve(CUBIC), conductance, ends, voltages, tolerance=1e-12)
    for number in range(5):
        alone = solve(make_curve(CUBIC), conductance, ends, voltages[number : number + 1], tolerance=1e-12)
        torch.testing.assert_close(alone.currents[0], together.currents[number], rtol=1e-10, atol=1e-15)


def test_chunks_of_vectors_are_put_together_in_order(monkeypatch):
    conductance, voltages = crossbar(6, 5, num_vectors=7)
    ends = segments(WIRES, 6, 5)
    whole = solve(make_curve(CUBIC), conductance, ends, voltages, tolerance=1e-12)
    monkeypatch.setattr(newton, "_CELLS_TOGETHER", 60)
    parts = solve(make_curve(CUBIC), conductance, ends, voltages, tolerance=1e-12)
    torch.testing.assert_close(parts.currents, whole.currents, rtol=1e-10, atol=1e-15)
    assert parts.residual.shape == (7,)


def test_newtons_method_alone_comes_to_the_same(monkeypatch):
    conductance, voltages = crossbar(11, 6)
    ends = segments(WIRES, 11, 6)
    together = solve(make_curve(CUBIC), conductance, ends, voltages, tolerance=1e-12)
    monkeypatch.setattr(newton, "_MOST_TOGETHER", (0, 0))
    alone = solve(make_curve(CUBIC), conductance, ends, voltages, tolerance=1e-12)
    torch.testing.assert_close(alone.currents, together.currents, rtol=1e-10, atol=1e-15)
    assert (alone.num_steps < together.num_steps).all()


@pytest.mark.parametrize(("voltage", "ohm"), [(0.03, 10.0), pytest.param(0.02, 1.0, marks=pytest.mark.slow)])
def test_very_steep_cells_behind_wires_converge(voltage, ohm):
    """Up to sinh(50): without a search along the steps Newton's method overflows."""
    conductance, voltages = crossbar(8, 8, top=1.0)
    found = solve(
        make_curve(SinhIvSpec(voltage=voltage)), conductance, segments(Wires(ohm, ohm), 8, 8), voltages
    )
    assert found.residual.max() <= 1e-10
    assert found.voltage.abs().max() < 1.0


def test_what_has_not_converged_is_not_returned(monkeypatch):
    monkeypatch.setattr(newton, "_MOST_TOGETHER", (1, 0))
    monkeypatch.setattr(newton, "_MOST_ALONE", 0)
    conductance, voltages = crossbar(6, 6)
    voltages[:2] = 0
    with pytest.raises(
        ConvergenceError, match=r"vector 2 is at a residual of .* need 1.0e-10.*; lower the voltages"
    ):
        solve(make_curve(CUBIC), conductance, segments(WIRES, 6, 6), voltages)


def test_without_wires_nothing_is_searched():
    conductance, voltages = crossbar(5, 4)
    found = solve(make_curve(CUBIC), conductance, segments(Wires(), 5, 4), voltages)
    shape = voltages * (1 + (voltages / 0.4) ** 2)
    torch.testing.assert_close(found.currents, shape @ conductance, rtol=1e-14, atol=0)
    assert not found.num_steps.any()


def test_wires_that_hardly_resist_hardly_matter():
    conductance, voltages = crossbar(5, 4)
    found = solve(
        make_curve(CUBIC), conductance, segments(Wires(1e-9, 1e-9), 5, 4), voltages, tolerance=1e-13
    )
    exact = solve(make_curve(CUBIC), conductance, segments(Wires(), 5, 4), voltages)
    torch.testing.assert_close(found.currents, exact.currents, rtol=1e-9, atol=1e-18)


@pytest.mark.parametrize("iv", [None, CUBIC])
def test_rows_that_are_gated_off_are_rows_without_cells(iv):
    conductance, voltages = crossbar(7, 6)
    active = torch.rand(3, 7, generator=torch.Generator().manual_seed(4)) > 0.4
    assert 0 < active.sum() < active.numel()
    ends = segments(WIRES, 7, 6)
    found = solve(make_curve(iv), conductance, ends, voltages, active, tolerance=1e-12)
    for number, rows in enumerate(active):
        left = conductance * rows.unsqueeze(1)
        expected = solve(make_curve(iv), left, ends, voltages[number : number + 1], tolerance=1e-12)
        torch.testing.assert_close(found.currents[number], expected.currents[0], rtol=1e-9, atol=1e-16)
    assert not found.cell_current[~active].any()


def test_rows_held_at_zero_are_not_rows_cut_off():
    conductance, voltages = crossbar(7, 6, num_vectors=1)
    voltages[0, :4] = 0
    ends = segments(WIRES, 7, 6)
    held = solve(make_curve(CUBIC), conductance, ends, voltages)
    cut = solve(make_curve(CUBIC), conductance, ends, voltages, voltages != 0)
    assert (held.currents - cut.currents).abs().max() > 1e-3 * held.currents.abs().max()


def test_access_transistors_are_resistors_in_series_with_ohmic_cells():
    conductance, voltages = crossbar(6, 5)
    ends = segments(WIRES, 6, 5)
    found = solve(make_curve(None, AccessSpec(resistance=2e3)), conductance, ends, voltages)
    expected = solve(make_curve(None), 1 / (1 / conductance + 2e3), ends, voltages)
    torch.testing.assert_close(found.currents, expected.currents, rtol=1e-9, atol=1e-16)


@settings(max_examples=25, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 8), st.integers(1, 8)),
    seed=st.integers(0, 1000),
    ohms=st.tuples(*[st.one_of(st.just(0.0), st.floats(0.1, 1e3))] * 4),
    # As with ohms, 0 or from 0.1 on: beside 1e12 S in one node, the sparse twin has no digits left for a cell.
    far=st.tuples(*[st.one_of(st.none(), st.just(0.0), st.floats(0.1, 100.0))] * 2),
)
def test_cubic_cells_behind_any_wires_obey_kirchhoffs_laws(shape, seed, ohms, far):
    conductance, voltages = crossbar(*shape, seed=seed)
    wires = Wires(*ohms, far_driver=far[0], far_sense=far[1])
    expected = solve_nodal(conductance.numpy(), wires, voltages.numpy(), CURVES["cubic"][1])
    found = solve(make_curve(CUBIC), conductance, segments(wires, *shape), voltages)
    error = np.abs(found.cell_current.numpy() - expected.cell_current).max()
    assert error < 1e-7 * np.abs(expected.cell_current).max()


@pytest.mark.parametrize(
    ("iv", "resistance"), [(None, 500.0), (CUBIC, 0.0), (SinhIvSpec(voltage=0.2), 500.0)]
)
def test_gradients_are_those_of_finite_differences_at_rest(iv, resistance):
    conductance, voltages = crossbar(4, 5, num_vectors=2)
    curve = make_curve(iv, AccessSpec(resistance=resistance))
    bit_lines = 0.1 * torch.rand(2, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    active = torch.tensor([[True, True, False, True], [True] * 4])
    floating = torch.tensor([[False] * 4, [False, True, False, False]])
    ends = segments(Wires(300.0, 500.0, 100.0, 200.0), 4, 5)
    inputs = [(conductance * 1e4), voltages, bit_lines]

    def weighted(scaled, word_lines, columns):
        bias = Bias(word_lines, columns, active, floating)
        weights = torch.arange(1.0, 11.0, dtype=torch.float64).reshape(2, 5)
        return (differentiable_currents(curve, scaled * 1e-4, ends, bias, 1e-13) * weights).sum() * 1e4

    slopes = torch.autograd.grad(weighted(*(each.requires_grad_() for each in inputs)), inputs)
    generator, step = torch.Generator().manual_seed(2), 1e-4
    for number, slope in enumerate(slopes):
        way = torch.randn(slope.shape, generator=generator, dtype=torch.float64)
        moved = [
            [*inputs[:number], inputs[number] + sign * step * way, *inputs[number + 1 :]] for sign in (1, -1)
        ]
        with torch.no_grad():
            expected = (weighted(*moved[0]) - weighted(*moved[1])) / (2 * step)
        assert (slope * way).sum().item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"voltages": torch.zeros(2, 5, dtype=torch.float64)},
            r"voltages: need \[vector, line\] of shape \[2, 4\]",
        ),
        ({"voltages": torch.zeros(0, 4, dtype=torch.float64)}, "at least one vector"),
        (
            {"voltages": torch.full((1, 4), torch.nan, dtype=torch.float64)},
            r"voltages: .* got nan at \[0, 0\]",
        ),
        ({"active": torch.ones(1, 3, dtype=torch.bool)}, r"active: .* \[1, 4\], got \[1, 3\]"),
        ({"active": torch.ones(1, 4)}, "active: need truth values"),
        ({"conductance": -torch.ones(4, 4, dtype=torch.float64)}, "conductance: .* got -1 at"),
        ({"conductance": torch.ones(1, 4, 4, dtype=torch.float64)}, "need one crossbar"),
        ({"tolerance": 0.0}, "tolerance: need a number above 0"),
    ],
)
def test_what_does_not_fit_is_refused_by_its_name(change, message):
    given = {
        "conductance": torch.full((4, 4), 1e-5, dtype=torch.float64),
        "voltages": torch.zeros(1, 4, dtype=torch.float64),
        **change,
    }
    with pytest.raises(ConfigError, match=message):
        solve(make_curve(CUBIC), ends=segments(WIRES, 4, 4), **given)
