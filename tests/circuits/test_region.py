"""What a region is to its drivers and converters: checked against whole crossbars, and against many exact solves."""

from functools import cache

import pytest
import torch

from crossloom.circuits import (
    RegionCells,
    effective_array,
    effective_conductance,
    in_series,
    is_linear,
    macro_function,
    make_curve,
    series_resistance,
)
from crossloom.circuits.wires import reach, segments
from crossloom.hardware import DenseCodes, InputFormat, Region, Wiring
from crossloom.seeds import derive_generator
from crossloom.spec import (
    AccessSpec,
    CellSpec,
    CrossbarSpec,
    DacSpec,
    MultiLevel,
    ReadoutSpec,
    SinhIvSpec,
    Wires,
)

SHAPE = (14, 11)
REGION = Region(3, 2, 8, 6)
INSIDE = (slice(3, 11), slice(2, 8))
WIRES = Wires(word_line=20.0, bit_line=30.0, driver=40.0, sense=50.0)


def crossbar(**fields) -> CrossbarSpec:
    cell = CellSpec(g_min=0.0, g_max=1e-4, access=fields.pop("access", None), iv=fields.pop("iv", None))
    return CrossbarSpec(num_rows=SHAPE[0], num_columns=SHAPE[1], cell=cell, **{"wires": WIRES, **fields})


def cells(*shape: int, seed: int = 0) -> torch.Tensor:
    return 1e-4 * torch.rand(shape, generator=derive_generator(seed, "cells"), dtype=torch.float64)


def region(conductance: torch.Tensor, spec: CrossbarSpec, noise: torch.Tensor | None = None) -> RegionCells:
    curve = make_curve(spec.cell.iv, spec.cell.access)
    return RegionCells(conductance, noise, curve, spec, REGION)


def test_cells_outside_a_region_are_only_in_the_way():
    whole = torch.zeros(SHAPE, dtype=torch.float64)
    whole[INSIDE] = cells(8, 6)
    effective, noise = region(whole[INSIDE], crossbar()).effective()
    torch.testing.assert_close(effective, effective_conductance(whole, WIRES)[INSIDE], rtol=1e-11, atol=0)
    assert noise is None


@pytest.mark.parametrize(
    "far", [{"far_driver": 5.0}, {"far_sense": 7.0}, {"far_driver": 0.0, "far_sense": 0.0}]
)
def test_wires_go_on_beyond_a_region_to_second_ends_too(far):
    wires = WIRES.replace(**far)
    whole = torch.zeros(SHAPE, dtype=torch.float64)
    whole[INSIDE] = cells(8, 6)
    effective, _ = region(whole[INSIDE], crossbar(wires=wires)).effective()
    torch.testing.assert_close(effective, effective_conductance(whole, wires)[INSIDE], rtol=1e-11, atol=0)


def test_in_a_passive_crossbar_all_cells_conduct():
    whole = cells(*SHAPE)
    effective, _ = region(whole, crossbar(is_passive=True)).effective()
    torch.testing.assert_close(effective, effective_conductance(whole, WIRES)[INSIDE], rtol=1e-12, atol=0)
    alone, _ = region(whole[INSIDE], crossbar()).effective()
    assert (alone - effective).abs().max() > 1e-3 * effective.max()


def test_without_wires_a_region_is_its_cells():
    part = cells(8, 6)
    effective, noise = region(part, crossbar(wires=None), noise=part / 10).effective()
    assert torch.equal(effective, part)
    assert torch.equal(noise, part / 10)


def test_access_resistance_is_in_series_with_every_cell_and_damps_its_noise():
    part = cells(8, 6)
    spec = crossbar(wires=None, access=AccessSpec(resistance=5e3, is_gated=False))
    effective, noise = region(part, spec, noise=torch.full_like(part, 1e-6)).effective()
    torch.testing.assert_close(effective, part / (1 + 5e3 * part))
    torch.testing.assert_close(noise, 1e-6 / (1 + 5e3 * part).square())


@pytest.mark.parametrize("far", [{}, {"far_driver": 5.0}, {"far_driver": 0.0, "far_sense": 70.0}])
@pytest.mark.parametrize("row", [0, 7])
@pytest.mark.parametrize("column", [0, 5])
def test_a_cell_that_is_measured_alone_has_its_wires_in_series(row, column, far):
    wires = WIRES.replace(**far)
    spec = crossbar(wires=wires, access=AccessSpec(resistance=1e3, is_gated=False))
    resistance = series_resistance(spec, REGION, torch.zeros(1, dtype=torch.float64))
    alone = torch.zeros(SHAPE, dtype=torch.float64)
    alone[3 + row, 2 + column] = 1 / (1e4 + 1e3)
    exact = effective_conductance(alone, wires)[3 + row, 2 + column]
    torch.testing.assert_close(1 / (1e4 + resistance[row, column]), exact, rtol=1e-12, atol=0)


@pytest.mark.parametrize("wires", [WIRES, WIRES.replace(far_driver=3.0), WIRES.replace(far_sense=9.0)])
def test_what_arrives_of_a_cell_is_the_slope_of_an_entry_over_it(wires):
    conductance = cells(9, 7).requires_grad_()
    effective = effective_conductance(conductance, wires)
    found = reach(conductance.detach(), segments(wires, 9, 7))
    assert torch.equal(found.effective, effective.detach())
    alone = (found.own - found.lift * effective.detach()) * found.arriving
    for row in range(9):
        for column in range(7):
            (slope,) = torch.autograd.grad(effective[row, column], conductance, retain_graph=True)
            assert alone[row, column].item() == pytest.approx(slope[row, column].item(), rel=1e-11)


def test_a_cell_behind_a_broken_wire_reads_nothing():
    broken = crossbar(wires=Wires(word_line=float("inf"), far_driver=3.0))
    resistance = series_resistance(broken, REGION, torch.zeros(1, dtype=torch.float64))
    assert torch.equal(1 / (1e4 + resistance), torch.zeros(8, 6, dtype=torch.float64))


def test_without_wires_all_of_every_cell_arrives():
    found = reach(cells(3, 2), segments(Wires(), 3, 2))
    assert torch.equal(found.own, torch.ones(3, 2, dtype=torch.float64))
    assert torch.equal(found.arriving, found.own)
    assert not found.lift.any()


def spread_of(array, inputs: torch.Tensor) -> torch.Tensor:
    """Standard deviation of one MVM, in levels, by the macro's own function."""
    inputs_format, dac = InputFormat(MultiLevel(), 4, True), DacSpec(is_signed=True)
    gain = torch.ones(array.matrix.shape[1], dtype=torch.float64)
    function = macro_function(array, gain, None, inputs_format, dac, ReadoutSpec())
    codes = DenseCodes(inputs, len(inputs))
    return (function(codes, torch.ones).sums - function(codes).sums).double()


SIGNS = {"both": lambda inputs: inputs, "one": torch.abs, "all": torch.ones_like}


@pytest.mark.parametrize("signs", SIGNS)
@pytest.mark.parametrize("pairing", ["none", "rows", "columns"])
@pytest.mark.parametrize(
    ("wires", "tolerance"),
    [
        (Wires(3.0, 3.0), 0.025),
        (Wires(15.0, 15.0), 0.045),
        (Wires(40.0, 40.0), 0.1),
        (Wires(sense=400.0), 0.025),
    ],
    ids=["6 % lost", "23 % lost", "44 % lost", "40 % lost behind"],
)
def test_noise_through_wires_spreads_outputs_as_many_exact_solves_do(wires, tolerance, pairing, signs):
    """1,000 solves of 24 x 16 cells: a spread is known to 2.2 %, the mean of 16 columns to about 0.6 %."""
    part = cells(24, 16) + 2e-5
    noise = 2e-6 * (0.5 + torch.rand(24, 16, generator=derive_generator(1, "noise"), dtype=torch.float64))
    spec = CrossbarSpec(num_rows=24, num_columns=16, cell=CellSpec(g_min=0.0, g_max=2e-4), wires=wires)
    region_of_all = RegionCells(part, noise, make_curve(None), spec, Region(0, 0, 24, 16))
    wiring = Wiring(pairing)
    drawn = torch.randint(-1, 2, (5, 24 // wiring.rows_per_input), generator=derive_generator(2, "inputs"))
    inputs = SIGNS[signs](drawn.double())
    found = spread_of(effective_array(*region_of_all.effective(), wiring, 1e-6), inputs)
    outputs = torch.stack([inputs @ effective_array(one, None, wiring, 1e-6).matrix for one in noisy(wires)])
    ratio = found / outputs.std(0)
    usual = 0.015 if signs == "both" or pairing == "rows" else tolerance
    assert ratio.mean().item() == pytest.approx(1.0, abs=usual)
    assert (ratio - 1).abs().max() < 0.15


@cache
def noisy(wires: Wires) -> torch.Tensor:
    """Effective conductances of 1,000 reads of the cells above."""
    part = cells(24, 16) + 2e-5
    noise = 2e-6 * (0.5 + torch.rand(24, 16, generator=derive_generator(1, "noise"), dtype=torch.float64))
    drawn = torch.randn(1000, 24, 16, generator=derive_generator(3, "drawn"), dtype=torch.float64)
    return effective_conductance((part + noise * drawn).clamp(min=0), wires)


def test_noise_that_ignored_the_wires_would_be_too_large():
    found = reach(cells(24, 16) + 2e-5, segments(Wires(40.0, 40.0), 24, 16))
    assert (found.own * found.arriving).mean() < 0.9


def test_noise_of_curved_cells_behind_wires_is_that_of_many_exact_solves():
    """150 solves: a spread is known to 5.8 %, the mean of 18 to about 1.5 %; steep cells at their operating points."""
    wires, region_of_all = Wires(10.0, 10.0, 50.0, 50.0), Region(0, 0, 8, 6)
    cell = CellSpec(g_min=0.0, g_max=2e-4, iv=SinhIvSpec(voltage=0.1))
    spec = CrossbarSpec(num_rows=8, num_columns=6, cell=cell, wires=wires)
    part, noise = cells(8, 6) + 1e-5, torch.full((8, 6), 1e-6, dtype=torch.float64)
    curve = make_curve(cell.iv)
    signs = torch.tensor(
        [[1, -1, 1, -1, 1, -1, 1, -1], [1, 1, -1, -1, 1, 1, -1, -1], [1, -1, -1, 1, 1, -1, -1, 1]]
    )
    voltages = 0.3 * signs.double()
    _, spread = RegionCells(part, noise, curve, spec, region_of_all).curved().currents(voltages, True)
    drawn = torch.randn(150, 8, 6, generator=derive_generator(5, "drawn"), dtype=torch.float64)
    solved = [
        RegionCells(part + noise * one, None, curve, spec, region_of_all)
        .curved()
        .currents(voltages, False)[0]
        for one in drawn
    ]
    ratio = spread / torch.stack(solved).std(0)
    assert ratio.mean().item() == pytest.approx(1.0, abs=0.07)
    assert (ratio - 1).abs().max() < 0.25


SINH = SinhIvSpec(voltage=0.2)


@pytest.mark.parametrize("with_noise", [True, False])
def test_cells_that_are_not_ohmic_are_one_product_without_wires(with_noise):
    part = cells(8, 6)
    noise = part / 20 if with_noise else None
    voltages = 0.5 * torch.randn(10, 8, generator=derive_generator(4, "voltages"), dtype=torch.float64)
    quick = region(part, crossbar(wires=None, iv=SINH), noise).curved()
    tiny = Wires(word_line=1e-6)
    exact = region(part, crossbar(wires=tiny, iv=SINH), noise).curved()
    for one, other in zip(quick.currents(voltages, True), exact.currents(voltages, True), strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-12)


def test_gated_rows_are_out_of_the_circuit_when_their_input_is_zero():
    part, gated = cells(8, 6), crossbar(access=AccessSpec(is_gated=True))
    voltages = torch.tensor([[0.1, 0, 0.1, 0, -0.1, 0.1, 0, 0]], dtype=torch.float64)
    found, _ = region(part, gated).curved().currents(voltages, False)
    whole = torch.zeros(SHAPE, dtype=torch.float64)
    whole[INSIDE] = part * (voltages[0] != 0).unsqueeze(1)
    exact = voltages @ effective_conductance(whole, WIRES)[INSIDE]
    torch.testing.assert_close(found, exact, rtol=1e-8, atol=1e-14)
    held, _ = region(part, crossbar()).effective()
    assert (voltages @ held - found).abs().max() > 1e-3 * found.abs().max()


def test_which_regions_are_matrices():
    ohmic, curved = make_curve(None), make_curve(SINH)
    assert is_linear(ohmic, crossbar())
    assert is_linear(in_series(ohmic, 1e3), crossbar(access=AccessSpec(resistance=1e3, is_gated=False)))
    assert not is_linear(ohmic, crossbar(access=AccessSpec(is_gated=True)))
    assert is_linear(ohmic, crossbar(wires=None, access=AccessSpec(is_gated=True)))
    assert not is_linear(curved, crossbar(wires=None))
