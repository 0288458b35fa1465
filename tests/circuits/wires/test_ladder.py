"""Crossbars whose bit lines alone have resistance."""

import json

import pytest
import torch

from circuits.wires import reference_cases
from crossloom.circuits import make_curve
from crossloom.circuits.wires import newton, segments
from crossloom.circuits.wires.bias import Bias
from crossloom.circuits.wires.newton import solve
from crossloom.spec import Wires

OHMIC = make_curve(None)


def of_case(case: dict) -> float:
    """The current of one column, in uA; its last row is next to the converter."""
    bits = torch.tensor(case["w"], dtype=torch.float64)
    conductance = 1e-6 * (case["HRS_uA"] + (case["LRS_uA"] - case["HRS_uA"]) * bits) / case["V_read"]
    active = torch.tensor([case["x"]], dtype=torch.bool)
    voltages = torch.full((1, len(bits)), case["V_read"], dtype=torch.float64)
    ends = segments(Wires(0.0, case["r_wire"]), len(bits), 1)
    return 1e6 * solve(OHMIC, conductance.unsqueeze(1), ends, voltages, active).currents.item()


def test_the_published_closed_form_holds():
    path = reference_cases.folder("mappings") / "column_ladder_and_read_disturb.json"
    for case in json.loads(path.read_text("utf-8"))["irdrop"]:
        assert of_case(case) == pytest.approx(case["I_uA"], rel=1e-12)


def test_one_case_of_the_closed_form_written_out():
    """The first of ../shared/reference/mappings/column_ladder_and_read_disturb.json."""
    case = {
        "r_wire": 1.0, "LRS_uA": 50, "HRS_uA": 5, "V_read": 0.2,
        "w": [1, 0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 1, 0, 0, 0],
        "x": [1, 1, 0, 0, 0, 0, 1, 1, 0, 0, 1, 1, 0, 1, 1, 1],
    }  # fmt: skip
    assert of_case(case) == pytest.approx(178.64755462796512, rel=1e-12)


@pytest.mark.parametrize(
    "wires", [Wires(0.0, 40.0, 0.0, 300.0), Wires(0.0, 40.0, 0.0, float("inf"), far_sense=9.0)]
)
def test_ladders_are_what_the_general_solver_finds(wires, monkeypatch):
    generator = torch.Generator().manual_seed(3)
    conductance = 1e-4 * torch.rand(12, 5, generator=generator, dtype=torch.float64)
    bias = Bias(
        torch.randn(4, 12, generator=generator, dtype=torch.float64),
        torch.randn(4, 5, generator=generator, dtype=torch.float64),
        torch.rand(4, 12, generator=generator) > 0.3,
    )
    ends = segments(wires, 12, 5)
    fast = solve(OHMIC, conductance, ends, bias, with_nodes=True)
    assert not fast.num_steps.any()
    monkeypatch.setattr(newton, "is_ladder", lambda ends: False)
    slow = solve(OHMIC, conductance, ends, bias, tolerance=1e-13, with_nodes=True)
    assert slow.num_steps.any()
    torch.testing.assert_close(fast.currents, slow.currents, rtol=1e-11, atol=1e-15)
    torch.testing.assert_close(fast.bit_line, slow.bit_line, rtol=1e-10, atol=1e-11)
    torch.testing.assert_close(fast.cell_current, slow.cell_current, rtol=1e-10, atol=1e-15)
