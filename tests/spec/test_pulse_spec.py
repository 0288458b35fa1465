"""What the specification of pulses refuses, and how a pulse's effect grows with its voltage."""

from math import exp, sinh

import pytest
import torch

from crossloom.errors import SpecError
from crossloom.spec import PulseSpec

BASE = {"width": 1e-7, "step": 5e-7, "max_width": 1e-5}


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"max_voltage": 2.0}, "max_voltage need the nominal voltage"),
        ({"voltage_scale": 0.2}, "voltage_scale need the nominal voltage"),
        ({"voltage": 2.0, "max_voltage": 1.0}, "need voltage <= max_voltage"),
        ({"voltage": 0.0}, "voltage"),
        ({"voltage": -1.0}, "voltage"),
        ({"half_select": 1.5}, "half_select"),
        ({"half_select": -0.1}, "half_select"),
        ({"max_width": 1e-8}, "need width <= max_width"),
    ],
)
def test_impossible_pulses_are_refused_by_name(fields, named):
    with pytest.raises(SpecError, match=named):
        PulseSpec(**{**BASE, **fields})


def test_growth_is_that_of_a_hyperbolic_sine():
    response = PulseSpec(**BASE, voltage=1.2, voltage_scale=0.3)
    voltages = torch.tensor([0.0, 0.1, 0.6, 1.2, 2.0], dtype=torch.float64)
    wanted = torch.tensor([sinh(v / 0.3) / sinh(1.2 / 0.3) for v in voltages.tolist()], dtype=torch.float64)
    torch.testing.assert_close(response.growth(voltages), wanted)
    assert response.growth(voltages)[0] == 0
    assert [response.growth(v) for v in voltages.tolist()] == pytest.approx(wanted.tolist())


def test_growth_far_above_the_scale_does_not_overflow():
    response = PulseSpec(**BASE, voltage=1.0, voltage_scale=1e-3)
    assert response.growth(1.001) == pytest.approx(exp(1))
    assert response.growth(torch.tensor(1.001, dtype=torch.float64)).item() == pytest.approx(exp(1))


def test_without_a_range_the_nominal_voltage_is_the_highest():
    assert PulseSpec(**BASE).highest_voltage is None
    assert PulseSpec(**BASE, voltage=1.2).highest_voltage == 1.2
    assert PulseSpec(**BASE, voltage=1.2, max_voltage=2.0).highest_voltage == 2.0
