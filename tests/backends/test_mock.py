"""The stand-in counts calls and fails when it is told to."""

import pytest
import torch

from crossloom.backends import MockBackend
from crossloom.errors import BackendError
from crossloom.hardware import DenseCodes, Draw, InputFormat, MvmCommand, Region, Wiring
from crossloom.spec import MacroAddress, MultiLevel
from flows import CELL, noisy_system

FIRST, REGION = MacroAddress(0, 0, 0), Region(0, 0, 4, 4)


def test_calls_are_counted_by_verb():
    mock = MockBackend(noisy_system())
    mock.read(FIRST, REGION)
    mock.read(FIRST, REGION)
    mock.set(FIRST, REGION, torch.full((4, 4), 1e-5))
    assert mock.calls == {"read": 2, "set": 1}


def test_refused_calls_are_not_counted():
    mock = MockBackend(noisy_system())
    with pytest.raises(BackendError):
        mock.set(FIRST, REGION, torch.zeros(3, 3))
    assert not mock.calls


def test_after_its_last_call_every_call_fails_and_names_the_macro():
    mock = MockBackend(noisy_system(), fail_after=2)
    mock.read(FIRST, REGION)
    mock.set(FIRST, REGION, torch.full((4, 4), 2e-5))
    for _ in range(2):
        with pytest.raises(BackendError, match="chip 0, core 0, macro 0 does not answer"):
            mock.pulse(FIRST, REGION, torch.full((4, 4), 1e-7))
    assert mock.calls.total() == 2


def test_products_are_exact():
    mock = MockBackend(noisy_system())
    levels = torch.arange(16.0, dtype=torch.float64).view(4, 4)
    mock.set(FIRST, REGION, 1e-6 + levels * 1e-6)
    command = MvmCommand(FIRST, REGION, InputFormat(MultiLevel(), 4, True), Wiring("columns"), 2.0, 1e-6)
    x = torch.tensor([[1.0, -2.0, 3.0, 0.0]])
    expected = 2 * x.double() @ (levels[:, 0::2] - levels[:, 1::2])
    torch.testing.assert_close(mock.mvm(command, DenseCodes(x, 1), Draw(0)).sums, expected)


def test_cells_that_say_nothing_of_pulses_cannot_be_pulsed():
    mock = MockBackend(noisy_system({f"{CELL}.pulse": None}))
    with pytest.raises(BackendError, match="pulses"):
        mock.pulse(FIRST, REGION, torch.zeros(4, 4))
