"""Crossbars for people who think in circuits."""

import numpy as np
import pytest
import torch

import crossloom as xl
from crossloom.circuits import Crossbar
from crossloom.circuits.wires import effective_conductance
from crossloom.errors import ConfigError
from crossloom.spec import AccessSpec, CellSpec, CrossbarSpec, PolynomialIvSpec, SinhIvSpec, Wires

WIRES = Wires(3.0, 4.0, 50.0, 60.0)
CUBIC = PolynomialIvSpec.cubic(0.4)


def conductances() -> torch.Tensor:
    return 1e-4 * torch.rand(5, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def voltages(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.mark.parametrize("curve", [None, CUBIC])
@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 3)])
def test_currents_have_the_leading_axes_of_the_voltages(shape, curve):
    crossbar = Crossbar(conductances(), WIRES, curve)
    given = voltages(*shape)
    currents = crossbar @ given
    assert currents.shape == (*shape, 4)
    for number, vector in enumerate(given.reshape(-1, 5)):
        torch.testing.assert_close(currents.reshape(-1, 4)[number], crossbar @ vector, rtol=1e-8, atol=1e-16)


@pytest.mark.parametrize("curve", [None, CUBIC])
def test_arrays_give_arrays_and_tensors_tensors(curve):
    of_array, of_tensor = (Crossbar(each, WIRES, curve) for each in (conductances().numpy(), conductances()))
    given = voltages(3)
    for crossbar in (of_array, of_tensor):
        assert isinstance(crossbar @ given, torch.Tensor)
        assert isinstance(crossbar @ given.numpy(), np.ndarray)
        np.testing.assert_array_equal(crossbar @ given.numpy(), (crossbar @ given).numpy())
    solution = of_array.solve(given.numpy())
    assert isinstance(solution.word_line, np.ndarray)
    assert solution.word_line.shape == (3, 5, 4)


def test_an_ohmic_crossbar_multiplies_by_its_effective_matrix():
    crossbar = Crossbar(conductances(), WIRES)
    assert torch.equal(crossbar.effective, effective_conductance(conductances(), WIRES))
    torch.testing.assert_close(
        crossbar @ voltages(3), crossbar.solve(voltages(3)).currents, rtol=1e-10, atol=0
    )


def test_what_is_not_linear_has_no_effective_matrix():
    with pytest.raises(ConfigError, match="not linear"):
        _ = Crossbar(conductances(), WIRES, CUBIC).effective


def test_one_vector_of_voltages_gives_a_solution_without_an_axis_of_vectors():
    solution = Crossbar(conductances(), WIRES, CUBIC).solve(voltages())
    assert solution.currents.shape == (4,)
    assert solution.cell_current.shape == (5, 4)
    assert solution.power.shape == ()
    assert solution.power > (solution.cell_current * solution.voltage).sum() > 0


def test_without_wires_ohmic_currents_are_the_plain_product():
    torch.testing.assert_close(Crossbar(conductances()) @ voltages(3), voltages(3) @ conductances())


@pytest.mark.parametrize("curve", [None, CUBIC])
def test_gradients_flow_from_currents_to_conductances_and_voltages(curve):
    conductance, given = conductances().requires_grad_(), voltages(2).requires_grad_()
    (Crossbar(conductance, WIRES, curve) @ given).sum().backward()
    for tensor in (conductance, given):
        assert tensor.grad is not None
        assert (tensor.grad > 0).all()  # every current rises with every one of these


def test_float32_comes_back_as_float32():
    for curve in (None, CUBIC):
        assert (Crossbar(conductances().float(), WIRES, curve) @ voltages(2).float()).dtype == torch.float32


def of_spec(**cell) -> CrossbarSpec:
    return CrossbarSpec(num_rows=8, num_columns=8, cell=CellSpec(g_min=0.0, g_max=1e-4, **cell), wires=WIRES)


def test_a_specification_brings_wires_curve_and_access():
    spec = of_spec(iv=SinhIvSpec(voltage=0.2), access=AccessSpec(resistance=1e3, is_gated=False))
    found = Crossbar(conductances(), spec) @ voltages(2)
    from crossloom.circuits import make_curve

    expected = Crossbar(conductances(), WIRES, make_curve(spec.cell.iv, spec.cell.access)) @ voltages(2)
    assert torch.equal(found, expected)
    bare = Crossbar(conductances(), WIRES, spec.cell.iv) @ voltages(2)
    assert (found < bare).all()


def test_gated_rows_without_input_are_cut_off():
    given = voltages(2)
    given[0, :3] = 0
    gated, held = (
        Crossbar(conductances(), of_spec(access=AccessSpec(is_gated=each))) for each in (True, False)
    )
    assert not gated.is_linear
    assert (gated @ given)[0].sum() > 1.0001 * (held @ given)[0].sum()  # nothing leaks back through idle rows
    torch.testing.assert_close((gated @ given)[1], (held @ given)[1], rtol=1e-8, atol=0)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.array([[1e-6, np.nan]]), r"got nan at \[0, 1\]"),
        (np.array([[1e-6], [-2e-6]]), r"got -2e-06 at \[1, 0\]"),
        (np.ones((0, 3)), "at least one cell"),
        (np.ones(3), "need"),
        (np.ones((2, 3, 3)), "need one crossbar"),
        ([[1.0]], "need a NumPy array or a tensor, got list"),
    ],
)
def test_what_is_no_crossbar_is_refused(values, message):
    with pytest.raises(ConfigError, match=f"conductance: .*{message}"):
        Crossbar(values, WIRES)


def test_a_crossbar_larger_than_its_specification_is_refused():
    with pytest.raises(ConfigError, match="at most 8 x 8 cells, got"):
        Crossbar(torch.ones(9, 4, dtype=torch.float64), of_spec())


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (torch.zeros(4, dtype=torch.float64), r"with 5 rows, got \[4\]"),
        (torch.tensor([0, 0, torch.inf, 0, 0], dtype=torch.float64), r"got inf at \[0, 2\]"),
        (torch.zeros(0, 5, dtype=torch.float64), "at least one vector"),
        (torch.zeros(5, dtype=torch.int64), "need floating-point numbers in volt"),
    ],
)
@pytest.mark.parametrize("curve", [None, CUBIC])
def test_voltages_that_do_not_fit_are_refused(given, message, curve):
    with pytest.raises(ConfigError, match=f"voltages: .*{message}"):
        _ = Crossbar(conductances(), WIRES, curve) @ given


def test_crossbars_are_at_the_front_door():
    assert xl.Crossbar is Crossbar
