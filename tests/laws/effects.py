"""Every nonideality that a simulated chip knows, as one small change of a specification each.

The composition matrix switches them on, alone and in pairs; `python tests/laws/support_table.py` writes what it finds
into docs/effects.md.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from crossloom.backends import SimulatedBackend
from crossloom.programming import DirectSet, advance, program
from crossloom.runtime import run
from crossloom.spec import SystemSpec
from flows import CELL, MACRO, noisy_system, normal, place_graph
from small_graphs import linear_graph

GRAPH, INPUTS = linear_graph(normal(12, 30)), normal(24, 30)
DAY = 86_400.0


@dataclass(frozen=True)
class Effect:
    """One nonideality. device: fields of the cells.  system: other fields, by their paths."""

    name: str
    where: str
    device: Mapping[str, Any] = field(default_factory=dict)
    system: Mapping[str, Any] = field(default_factory=dict)


def _cell(name: str, value: Any) -> Effect:
    return Effect(name.replace("_", " "), f"cell.device.{name}", device={name: value})


def _readout(name: str, value: Any) -> Effect:
    return Effect(name.replace("_", " "), f"readout.{name}", system={f"{MACRO}.readout.{name}": value})


_RELAXATION = {"kind": "logarithmic", "shift_slope": -1e-7, "spread_slope": 1e-7, "spread": 1e-7}
_NU = {"slope": 0.0, "intercept": 0.05, "low": 0.05, "high": 0.05}
_SPREAD = {"slope": 0.0, "intercept": 0.01, "low": 0.01, "high": 0.01}
_TRAPS = {"amplitude": 0.2, "capture_time": 10.0, "emission_time": 10.0}
_FLICKER = {"coefficient": 0.02, "exponent": 0.65, "limit": 0.2, "read_time": 2.5e-7, "scale": 1e-4}

EFFECTS = {
    effect.name: effect
    for effect in (
        _cell("programming_error", 3e-6),
        _cell("read_noise", 3e-6),
        _cell("variation", 0.1),
        _cell("stuck_low", 0.05),
        _cell("stuck_high", 0.05),
        _cell("relaxation", _RELAXATION),
        _cell("drift", {"mean": _NU, "spread": _SPREAD, "reference_time": 1.0, "scale": 1e-4}),
        _cell("telegraph_noise", _TRAPS),
        _cell("flicker_noise", _FLICKER),
        _cell("thermal_noise", {"bandwidth": 1e10, "voltage": 0.01}),
        _cell("read_disturb", {"voltage": 0.2, "factor": 1.0, "exponent": 0.01}),
        _cell("endurance", {"life": 3.0}),
        _cell("temperature", {"operating": 350.0, "coefficient": 2e-3}),
        Effect(
            "wire resistance",
            "crossbar.wires",
            system={f"{MACRO}.crossbar.wires": {"word_line": 10.0, "bit_line": 10.0}},
        ),
        Effect("current over voltage", "cell.iv", system={f"{CELL}.iv": {"kind": "sinh", "voltage": 0.1}}),
        Effect(
            "access resistance",
            "cell.access.resistance",
            system={f"{CELL}.access": {"resistance": 2e3, "is_gated": False}},
        ),
        _readout("offset", 3.0),
        _readout("gain_error", 0.1),
        _readout("differential_nonlinearity", 0.5),
        Effect(
            "capacitor mismatch",
            "readout.adc",
            system={f"{MACRO}.readout.adc": {"kind": "sar", "capacitor_mismatch": 0.05}},
        ),
        Effect(
            "DAC nonlinearity",
            "dac.nonlinearity",
            system={f"{MACRO}.dac.nonlinearity": (0.0, 4.0, -4.0, 0.0)},
        ),
        Effect("DAC level error", "dac.level_error", system={f"{MACRO}.dac.level_error": 3.0}),
    )
}


def system_with(names: Iterable[str]) -> SystemSpec:
    """Small crossbars with these effects and no others."""
    chosen = [EFFECTS[name] for name in names]
    device = {name: value for effect in chosen for name, value in effect.device.items()}
    system = {name: value for effect in chosen for name, value in effect.system.items()}
    usual = {
        f"{MACRO}.pairing": "rows",
        f"{MACRO}.dac.bits": 7,
        f"{MACRO}.dac.read_voltage": 0.2 / 127,
        f"{MACRO}.dac.cycle_time": 1e-7,
    }
    return noisy_system({**usual, **system}, pulse_spread=0.0, **device)


_ANSWERS: dict[frozenset[str], torch.Tensor] = {}


def answer(names: Iterable[str]) -> torch.Tensor:
    """What chips of seed 2 say a day after they were programmed and first used."""
    key = frozenset(names)
    if key not in _ANSWERS:
        system = system_with(sorted(key))
        chips = program(place_graph(GRAPH, INPUTS, system), SimulatedBackend(system, 2), DirectSet())
        run(chips, INPUTS, probe_samples=0)
        _ANSWERS[key] = run(advance(chips, DAY), INPUTS, probe_samples=0).outputs
    return _ANSWERS[key]


def changes(name: str, others: Iterable[str] = ()) -> bool:
    """Whether switching on `name` changes the answer of chips that have `others` already."""
    others = frozenset(others)
    return not torch.equal(answer(others | {name}), answer(others))
