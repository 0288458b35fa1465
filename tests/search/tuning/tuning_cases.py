"""Small chips to tune: a chain of layers whose converters and registers are off."""

import torch

from crossloom.backends import SimulatedBackend
from crossloom.datasets import Dataset
from crossloom.mapping import MappingConfig
from crossloom.placement import Placement
from crossloom.programming import DirectSet, ProgrammedChips, program
from crossloom.spec import SystemSpec, load_system
from flows import CELL, MACRO, normal, place_graph
from small_graphs import chain_graph

CHAIN = chain_graph(normal(24, 40, seed=1), normal(12, 24, seed=2), normal(5, 12, seed=3))
INPUTS = normal(160, 40, seed=4)
FRESH = normal(300, 40, seed=5)


def c200(level: float | None = 0.06, **readout) -> SystemSpec:
    """The eight-chip system; a weight's error is `level` of its full conductance, None for ideal cells."""
    full = 1.916e-5
    error = None if level is None else level * full / 2**0.5
    device = {"kind": "ideal"} if error is None else {"kind": "gaussian", "programming_error": error}
    changes = {f"{MACRO}.readout.{name}": value for name, value in {"offset": None, **readout}.items()}
    system = load_system("tsinghua_c200", {f"{CELL}.device": device})
    macro = system.macro
    return system.with_macro(
        macro.replace(
            readout=macro.readout.replace(**{key.rsplit(".", 1)[1]: value for key, value in changes.items()})
        )
    )


def chain_placement(system: SystemSpec | None = None, mapping: MappingConfig | None = None) -> Placement:
    """The chain on the system, every layer at its first integration time."""
    return place_graph(CHAIN, INPUTS, system or c200(), mapping)


def chain_chips(
    actual: SystemSpec | None = None, seed: int = 0, mapping: MappingConfig | None = None
) -> ProgrammedChips:
    """Chips of the actual system that hold the placement of the nominal one."""
    backend = SimulatedBackend(actual or c200(offset=0.5, gain_error=0.05), seed)
    return program(chain_placement(mapping=mapping), backend, DirectSet())


def labelled() -> Dataset:
    """The inputs with the classes that exact integers give them."""
    from crossloom.runtime import run

    outputs = run(chain_chips(), INPUTS, mode="integer", probe_samples=0).outputs
    assert isinstance(outputs, torch.Tensor)
    return Dataset(INPUTS, outputs.argmax(1), "chain")
