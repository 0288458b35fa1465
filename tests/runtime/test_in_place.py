"""Sums are overwritten to save memory's time, but never those that chips may have kept."""

import pytest
import torch

import crossloom as xl
from crossloom.backends import SimulatedBackend


@pytest.mark.parametrize("name", ["ideal", "tsinghua_c200"])
@pytest.mark.parametrize("num_outputs", [5, 200])
def test_what_chips_answered_stays_as_it_was(name, num_outputs, monkeypatch):
    kept, answer = [], SimulatedBackend.mvm_many

    def keep(self, *asked):
        """Keeps every sum that it gives away, and what it was."""
        readings = answer(self, *asked)
        kept.extend((reading.sums, reading.sums.clone()) for reading in readings)
        return readings

    monkeypatch.setattr(SimulatedBackend, "mvm_many", keep)
    torch.manual_seed(0)
    layers = (torch.nn.Conv2d(2, 8, 3), torch.nn.Flatten(), torch.nn.Linear(128, num_outputs))
    model = torch.nn.Sequential(*layers)
    inputs = torch.randn(7, 2, 6, 6)
    system = xl.load_system(name)
    placement = xl.compile(model.eval(), system, data=inputs)
    chips = xl.program(placement, xl.simulate(system), xl.DirectSet())
    first, second = (xl.run(chips, inputs, probe_samples=0).outputs for _ in range(2))
    assert torch.equal(first, second)
    assert len(kept) >= 4
    assert all(torch.equal(now, then) for now, then in kept)


def test_values_are_the_same_in_place():
    placement = xl.compile(torch.nn.Linear(6, 4).eval(), xl.load_system("ideal"), data=torch.randn(9, 6))
    (layer,) = placement.mapped.quantized.layers.values()
    sums = torch.randint(-99, 99, (5, 4)).float()
    values = layer.dequantize(sums.clone(), -1)
    assert torch.equal(layer.dequantize(sums.double(), -1, in_place=True), values)
    assert torch.equal(layer.dequantize(sums, -1, in_place=True), values)
    assert torch.equal(sums, values)
