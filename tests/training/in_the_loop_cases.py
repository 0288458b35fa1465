"""A small trained network on small chips, and a backend that counts every pulse of every cell."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import torch
from torch.nn import functional

from crossloom.backends import SimulatedBackend
from crossloom.datasets import Dataset
from crossloom.graph import Graph
from crossloom.hardware import Backend, Codes, Draw, MvmCommand, Reading, Region
from crossloom.programming import LayerCorrection, ProgrammedChips, Strategy, program, region_of
from crossloom.spec import MacroAddress, SystemSpec
from crossloom.training.in_the_loop.network import LoopNetwork, Part
from crossloom.training.in_the_loop.reading import read_back
from flows import noisy_system, normal, place_graph
from small_graphs import chain_graph

NUM_INPUTS, NUM_HIDDEN, NUM_CLASSES = 16, 20, 10


def blobs(seed: int = 0, num_samples: int = 240) -> Dataset:
    """Ten classes around ten points of 16 dimensions."""
    labels = torch.arange(num_samples) % NUM_CLASSES
    centres = normal(NUM_CLASSES, NUM_INPUTS, seed=100)
    return Dataset(centres[labels] + 0.6 * normal(num_samples, NUM_INPUTS, seed=seed + 7), labels, "blobs")


@cache
def trained_graph() -> Graph:
    """Two linear layers, trained in float for a moment."""
    data, sizes = blobs(num_samples=800), ((NUM_HIDDEN, NUM_INPUTS), (NUM_CLASSES, NUM_HIDDEN))
    weights = [(0.3 * normal(*size, seed=number)).requires_grad_() for number, size in enumerate(sizes)]
    adam = torch.optim.Adam(weights, 0.02)
    for _ in range(80):
        scores = functional.linear(functional.linear(data.inputs, weights[0]).relu(), weights[1])
        loss = functional.cross_entropy(scores, data.labels)  # type: ignore[arg-type]
        adam.zero_grad()
        loss.backward()
        adam.step()
    return chain_graph(*[weight.detach() for weight in weights])


def pulsed_system(
    overrides: Mapping[str, Any] | None = None, readout: Mapping[str, Any] | None = None, **device: Any
) -> SystemSpec:
    """50 uS of window, write-verify to 0.5 uS."""
    cell = "chip.core.macro.crossbar.cell"
    return noisy_system({f"{cell}.g_max": 5e-5, **(overrides or {})}, readout, **device)


def loop_chips(
    seed: int = 0,
    mapping: Any = None,
    system: SystemSpec | None = None,
    readout: Mapping[str, Any] | None = None,
    strategy: Strategy | None = None,
    **device: Any,
) -> ProgrammedChips:
    """The trained network, programmed into simulated chips."""
    system = system or pulsed_system(None, readout, **device)
    placement = place_graph(trained_graph(), blobs().inputs, system, mapping)
    return program(placement, SimulatedBackend(system, seed), strategy)


def network_of(chips: ProgrammedChips) -> LoopNetwork:
    """Both layers in the loop, read back."""
    names = ("layer1", "layer2")
    network = LoopNetwork(chips, Part(names, (), frozenset(names)))
    for layer in network.layers.values():
        found = read_back(chips.placement, layer.node, chips.backend, LayerCorrection()).weight
        layer.take(layer.integers, found, torch.ones_like(found, dtype=torch.bool), 2.0)
    return network


def conductance_of(chips: ProgrammedChips) -> dict[int, torch.Tensor]:
    """What the cells of every tile have, S."""
    placement = chips.placement
    return {
        number: chips.backend.read(site.address, region_of(placement, number)).double()
        for number, site in enumerate(placement.sites)
    }


class CountingBackend(Backend):
    """Passes everything on; `pulses` counts them by macro, [row, column]. It can neither copy, wait nor set.

    nan_after: products after this many give no numbers.  interrupt_after: the product after this many is Ctrl-C.
    """

    def __init__(
        self, chips: Backend, nan_after: int | None = None, interrupt_after: int | None = None
    ) -> None:
        self._chips, self._nan_after, self._interrupt_after = chips, nan_after, interrupt_after
        self.pulses: dict[MacroAddress, torch.Tensor] = {}
        self._num_mvms = 0

    @property
    def spec(self) -> SystemSpec:
        return self._chips.spec

    def pulse(
        self,
        address: MacroAddress,
        region: Region,
        widths: torch.Tensor,
        voltages: torch.Tensor | None = None,
    ) -> None:
        crossbar = self.spec.macro.crossbar
        counts = self.pulses.setdefault(address, torch.zeros(crossbar.num_rows, crossbar.num_columns).int())
        rows = slice(region.row, region.row + region.num_rows)
        counts[rows, region.column : region.column + region.num_columns] += widths != 0
        self._chips.pulse(address, region, widths, voltages)

    def read(self, address: MacroAddress, region: Region) -> torch.Tensor:
        return self._chips.read(address, region)

    def mvm(self, command: MvmCommand, codes: Codes, draw: Draw, count_codes: bool = False) -> Reading:
        self._num_mvms += 1
        if self._interrupt_after is not None and self._num_mvms > self._interrupt_after:
            raise KeyboardInterrupt
        reading = self._chips.mvm(command, codes, draw, count_codes)
        is_broken = self._nan_after is not None and self._num_mvms > self._nan_after
        return Reading(reading.sums * float("nan")) if is_broken else reading
