"""The whole way in one call for small graphs, and systems with single nonidealities."""

from collections.abc import Mapping
from typing import Any

import torch

from crossloom.backends import SimulatedBackend
from crossloom.graph import Graph
from crossloom.mapping import MappingConfig, map_graph
from crossloom.placement import Placement, PlacementConfig, place
from crossloom.programming import ProgrammedChips, Strategy, program
from crossloom.quant import QuantConfig, quantize
from crossloom.spec import SystemSpec, load_system

Inputs = torch.Tensor | tuple[torch.Tensor, ...]
MACRO = "chip.core.macro"
CELL = f"{MACRO}.crossbar.cell"


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    """Standard normal numbers."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def noisy_system(
    overrides: Mapping[str, Any] | None = None, readout: Mapping[str, Any] | None = None, **device: Any
) -> SystemSpec:
    """The ideal system with Gaussian cells of these nonidealities, pulses, and an 8-bit converter."""
    return load_system(
        "ideal",
        {
            f"{CELL}.g_min": 1e-6,
            f"{CELL}.pulse": {"width": 1e-7, "step": 5e-7, "max_width": 1e-5},
            f"{CELL}.device": {"kind": "gaussian", **device},
            f"{MACRO}.readout": {"bits": 8, "is_signed": True, **(readout or {})},
            f"{MACRO}.crossbar.num_rows": 64,
            f"{MACRO}.crossbar.num_columns": 32,
            **(overrides or {}),
        },
    )


def place_graph(
    graph: Graph,
    inputs: Inputs,
    system: SystemSpec,
    mapping: MappingConfig | None = None,
    quant: QuantConfig | None = None,
    placement: PlacementConfig | None = None,
) -> Placement:
    """Quantise on `inputs`, map, and place."""
    batch = (inputs,) if isinstance(inputs, torch.Tensor) else inputs
    quant = quant or QuantConfig(weight_bits=4, activation_bits=4)
    mapped = map_graph(quantize(graph, quant, [batch]), mapping or MappingConfig(), system.macro)
    return place(mapped, placement or PlacementConfig(effort=0), system)


def program_graph(
    graph: Graph,
    inputs: Inputs,
    system: SystemSpec,
    mapping: MappingConfig | None = None,
    quant: QuantConfig | None = None,
    strategy: Strategy | None = None,
    seed: int = 0,
) -> ProgrammedChips:
    """Place, and program simulated chips."""
    placement = place_graph(graph, inputs, system, mapping, quant)
    return program(placement, SimulatedBackend(system, seed), strategy)
