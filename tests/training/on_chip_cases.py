"""Small networks, digits, chips and a backend that counts, for the tests of on-chip learning."""

from functools import cache
from typing import Any

import torch
from torch import nn

from crossloom.backends import SimulatedBackend
from crossloom.cli.demo import load_digits
from crossloom.datasets import Dataset
from crossloom.hardware import Backend, Codes, Draw, MvmCommand, Reading, Region
from crossloom.programming import DirectSet
from crossloom.spec import MacroAddress, SystemSpec, load_system
from crossloom.training.on_chip import LearningArray, PairLayout, WeightScale
from crossloom.training.on_chip.sites import Shelves
from flows import CELL, MACRO

PULSE = {"width": 1e-7, "step": 1e-7, "max_width": 1e-6}
IDEAL = {"kind": "ideal"}


def chips(device: dict[str, Any] | None = None, step: float = 1e-7, **overrides: Any) -> SystemSpec:
    """Macros of 128 x 128 cells of 0...100 uS, whose pulses nominally do `step` (S), with ideal converters."""
    return load_system(
        "ideal",
        {
            f"{CELL}.pulse": {**PULSE, "step": step},
            f"{CELL}.device": device or IDEAL,
            f"{MACRO}.crossbar.num_rows": 128,
            f"{MACRO}.crossbar.num_columns": 128,
            **overrides,
        },
    )


@cache
def digits() -> tuple[Dataset, Dataset]:
    """600 digits to learn, as 64 pixels each, and 450 others."""
    train, test = load_digits()
    assert train.labels is not None
    flat = Dataset(train.inputs[:600].flatten(1), train.labels[:600], "600 digits")
    return flat, Dataset(test.inputs.flatten(1), test.labels, "450 digits")


def perceptron(num_hidden: int = 24, bias: bool = False) -> nn.Sequential:
    """64 pixels, one hidden layer, 10 classes; always the same first weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(64, num_hidden, bias), nn.ReLU(), nn.Linear(num_hidden, 10, bias))


def array_on(backend: Backend, num_outputs: int, num_inputs: int, weight_range: float = 1.0) -> LearningArray:
    """A learning array on the first macros of a backend."""
    layout, shelves = PairLayout(backend.spec.macro.pairing), Shelves(backend.spec)
    tiles = shelves.lay(num_inputs, num_outputs, layout)
    shelves.check()
    return LearningArray(backend, tiles, layout, WeightScale.for_range(backend.spec.macro.cell, weight_range))


def ideal_array(num_outputs: int, num_inputs: int, **overrides: Any) -> LearningArray:
    """Weights of 0, in the middle of the window."""
    array = array_on(SimulatedBackend(chips(**overrides)), num_outputs, num_inputs)
    array.write(torch.zeros(array.shape), DirectSet())
    return array


class CountingBackend(Backend):
    """Passes everything on, and counts pulses and reads of single cells, and products of vectors with regions."""

    def __init__(self, inner: Backend) -> None:
        self.inner = inner
        self.pulses: dict[tuple[MacroAddress, int, int], int] = {}
        self.num_pulses = self.num_reads = self.num_mvms = 0

    @property
    def spec(self) -> SystemSpec:
        return self.inner.spec

    def pulse(
        self,
        address: MacroAddress,
        region: Region,
        widths: torch.Tensor,
        voltages: torch.Tensor | None = None,
    ) -> None:
        self.inner.pulse(address, region, widths, voltages)
        for row, column in widths.nonzero().tolist():
            place = (address, region.row + row, region.column + column)
            self.pulses[place] = self.pulses.get(place, 0) + 1
            self.num_pulses += 1

    def read(self, address: MacroAddress, region: Region) -> torch.Tensor:
        self.num_reads += region.num_cells
        return self.inner.read(address, region)

    def mvm(self, command: MvmCommand, codes: Codes, draw: Draw, count_codes: bool = False) -> Reading:
        self.num_mvms += codes.num_vectors
        return self.inner.mvm(command, codes, draw, count_codes)
