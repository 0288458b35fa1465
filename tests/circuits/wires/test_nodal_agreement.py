"""The exact linear solver against its slow twin, and the laws of resistor networks."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from crossloom.circuits.wires import effective_conductance, eliminate, segments
from crossloom.errors import ConfigError, SpecError
from crossloom.spec import Wires
from crossloom.testing.nodal import solve_nodal

SHAPES = [(1, 1), (1, 7), (7, 1), (13, 6), (20, 33)]
INFINITE = float("inf")
KINDS = [
    Wires(),
    Wires(1.0, 1.0),
    Wires(2.5, 0.0, 30.0, 0.0),
    Wires(0.0, 7.0, 0.0, 200.0),
    Wires(0.0, 0.0, 50.0, 70.0),
    Wires(1e-6, 1e-6, 1e-6, 1e-6),
    Wires(1.0, 2.0, 30.0, 40.0, far_driver=0.0, far_sense=50.0),
    Wires(3.0, 2.0, INFINITE, 40.0, far_driver=5.0),
    Wires(3.0, 2.0, 10.0, INFINITE, far_driver=5.0, far_sense=0.0),
    Wires(3.0, 2.0, INFINITE, INFINITE, far_driver=0.0, far_sense=1.0),
    Wires(3.0, 2.0, INFINITE, 4.0),
    Wires(3.0, INFINITE, 1.0, 4.0),
]


def random_conductance(*shape: int, seed: int = 0) -> torch.Tensor:
    """From 1 to 100 uS, a tenth of them zero."""
    generator = torch.Generator().manual_seed(seed)
    values = 1e-6 + 99e-6 * torch.rand(shape, generator=generator, dtype=torch.float64)
    return values * (torch.rand(shape, generator=generator) > 0.1)


def of_unit_inputs(conductance: torch.Tensor, wires: Wires) -> torch.Tensor:
    """The effective matrix by the slow twin: one input at a time."""
    solution = solve_nodal(conductance.numpy(), wires, np.eye(len(conductance)))
    return torch.from_numpy(solution.currents)


def scale(conductance: torch.Tensor) -> float:
    return float(conductance.max().clamp(min=1e-12))


@pytest.mark.parametrize("wires", KINDS, ids=str)
@pytest.mark.parametrize("shape", SHAPES)
def test_the_effective_matrix_is_that_of_kirchhoffs_laws(shape, wires):
    conductance = random_conductance(*shape)
    found, expected = effective_conductance(conductance, wires), of_unit_inputs(conductance, wires)
    assert (found - expected).abs().max() < 1e-9 * scale(conductance)


def test_a_crossbar_of_40_by_100_is_that_of_kirchhoffs_laws():
    conductance, wires = random_conductance(40, 100), Wires(2.0, 3.0, 20.0, 30.0, far_sense=4.0)
    expected = of_unit_inputs(conductance, wires)
    assert (effective_conductance(conductance, wires) - expected).abs().max() < 1e-10 * float(expected.max())


# From 0.1 ohm on: where nothing leads to ground, the twin itself rounds off 2e-16 V over the smallest resistance.
resistances = st.one_of(st.just(0.0), st.floats(0.1, 1e4), st.just(INFINITE))


@settings(max_examples=60, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 11), st.integers(1, 11)),
    seed=st.integers(0, 1000),
    word_line=resistances,
    bit_line=resistances,
    driver=resistances,
    sense=resistances,
    far_driver=st.one_of(st.none(), resistances),
    far_sense=st.one_of(st.none(), resistances),
)
def test_any_wires_around_any_shape_obey_kirchhoffs_laws(shape, seed, **fields):
    conductance, wires = random_conductance(*shape, seed=seed), Wires(**fields)
    found, expected = effective_conductance(conductance, wires), of_unit_inputs(conductance, wires)
    assert (found - expected).abs().max() < 1e-9 * scale(conductance)


@pytest.mark.parametrize("shape", [(9, 9), (17, 5), (3, 17), (2, 129), (129, 2), (16, 16)])
def test_cells_added_to_fill_up_the_grid_change_nothing(shape):
    conductance, wires = random_conductance(*shape, seed=3), Wires(4.0, 5.0, 6.0, 7.0)
    expected = of_unit_inputs(conductance, wires)
    assert (effective_conductance(conductance, wires) - expected).abs().max() < 1e-10 * float(expected.max())


def test_wires_without_resistance_change_nothing_at_all():
    conductance = random_conductance(6, 5)
    assert torch.equal(effective_conductance(conductance, Wires()), conductance)


def test_many_crossbars_at_once_are_the_same_as_one_by_one():
    conductance, wires = random_conductance(2, 3, 7, 10), Wires(2.0, 3.0, 4.0, 5.0, far_driver=6.0)
    together = effective_conductance(conductance, wires)
    for one, found in zip(conductance.flatten(0, 1), together.flatten(0, 1), strict=True):
        torch.testing.assert_close(effective_conductance(one, wires), found, rtol=1e-13, atol=0)


def test_a_crossbar_driven_from_its_bit_lines_answers_on_its_word_lines_alike():
    """Reciprocity: turned so that rows and columns, and sources and sinks, change places."""
    conductance, wires = random_conductance(6, 9), Wires(2.0, 3.0, 40.0, 50.0, far_driver=6.0)
    turned = Wires(3.0, 2.0, 50.0, 40.0, far_sense=6.0)
    # Sources now lie where the sensing ends were: at the last row, which becomes the first column.
    swapped = conductance.T.flip(1).flip(0)
    found = effective_conductance(swapped, turned).flip(0).flip(1).T
    torch.testing.assert_close(found, effective_conductance(conductance, wires), rtol=1e-11, atol=1e-18)


@pytest.mark.parametrize(
    "wires",
    [Wires(300.0, 500.0, 100.0, 200.0), Wires(0.0, 500.0), Wires(300.0, 0.0, INFINITE, 9.0, far_driver=5.0)],
    ids=str,
)
def test_gradients_are_those_of_finite_differences(wires):
    conductance = (random_conductance(4, 5, seed=1) * 1e4 + 0.05).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda scaled: effective_conductance(scaled * 1e-4, wires) * 1e4, (conductance,), atol=1e-7, rtol=1e-6
    )


def test_float32_comes_back_as_float32_and_as_exact():
    conductance, wires = random_conductance(8, 8).float(), Wires(5.0, 5.0)
    found = effective_conductance(conductance, wires)
    assert found.dtype == torch.float32
    torch.testing.assert_close(
        found.double(), effective_conductance(conductance.double(), wires), rtol=1e-6, atol=0
    )


@pytest.mark.parametrize("far", [{}, {"far_driver": 3.0, "far_sense": 1.0}])
def test_currents_add_up_to_zero_at_every_node(far):
    conductance, wires = random_conductance(6, 9, seed=2), Wires(20.0, 30.0, 40.0, 50.0, **far)
    generator = torch.Generator().manual_seed(1)
    voltages = torch.rand(1, 6, 3, generator=generator, dtype=torch.float64)
    extra = 1e-5 * torch.randn(1, 6, 9, 3, generator=generator, dtype=torch.float64)
    states = eliminate(conductance.unsqueeze(0), segments(wires, 6, 9), keep=True).cell_states(
        voltages, extra
    )
    current, word_line, bit_line = states.current[0], states.word_line[0], states.bit_line[0]
    expected = conductance.unsqueeze(-1) * (word_line - bit_line) + extra[0]
    torch.testing.assert_close(current, expected, rtol=1e-10, atol=1e-16)
    right = word_line[:, 1:] - word_line[:, :-1]
    in_word = torch.zeros(6, 10, 3, dtype=torch.float64)
    in_word[:, 0] = (voltages[0] - word_line[:, 0]) / (wires.driver + wires.word_line)
    in_word[:, 1:9] = -right / wires.word_line
    if wires.far_driver is not None:
        in_word[:, 9] = -(voltages[0] - word_line[:, 8]) / (wires.far_driver + wires.word_line)
    torch.testing.assert_close(in_word[:, :-1] - in_word[:, 1:], current, rtol=1e-9, atol=1e-15)
    in_bit = torch.zeros(7, 9, 3, dtype=torch.float64)
    in_bit[6] = bit_line[5] / (wires.sense + wires.bit_line)
    in_bit[1:6] = -(bit_line[1:] - bit_line[:-1]) / wires.bit_line
    if wires.far_sense is not None:
        in_bit[0] = -bit_line[0] / (wires.far_sense + wires.bit_line)
    torch.testing.assert_close(in_bit[1:] - in_bit[:-1], current, rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize(
    ("value", "message"), [(-1e-6, r"got -1e-06 at \[1, 2\]"), (float("nan"), r"got nan at \[1, 2\]")]
)
def test_what_is_no_conductance_is_refused_by_its_place(value, message):
    conductance = random_conductance(3, 4)
    conductance[1, 2] = value
    with pytest.raises(ConfigError, match=message):
        effective_conductance(conductance, Wires(1.0, 1.0))


@pytest.mark.parametrize("shape", [(0, 4), (4, 0), (4,)])
def test_a_crossbar_without_cells_is_refused(shape):
    with pytest.raises(ConfigError, match="at least one cell"):
        effective_conductance(torch.zeros(shape, dtype=torch.float64), Wires(1.0, 1.0))


@pytest.mark.parametrize("name", ["word_line", "bit_line", "driver", "sense", "far_driver", "far_sense"])
@pytest.mark.parametrize("value", [-1.0, float("nan")])
def test_what_is_no_resistance_is_refused_by_its_name(name, value):
    with pytest.raises(SpecError, match=f"need {name} >= 0 ohm"):
        Wires(**{name: value})
