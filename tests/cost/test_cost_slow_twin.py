"""Costs of a run, counted fast, equal the sum over every command, vector, cycle and cell."""

from itertools import product

import pytest
from small_costs_of_parts import round_table
from test_cost_counts import CASES, MAPPINGS, exact_system

from crossloom.backends import SimulatedBackend
from crossloom.circuits import expand
from crossloom.cost import account
from crossloom.hardware import WindowedCodes
from crossloom.programming import ProgrammedChips, program, region_of
from crossloom.runtime import run
from flows import CELL, MACRO, place_graph

VOLT, SECONDS = 0.01, 1e-7


def erring_system():
    """Small macros of cells that miss their targets, read bit by bit, at a known voltage for a known time."""
    return exact_system(
        **{
            f"{MACRO}.dac": {"is_signed": False, "read_voltage": VOLT, "cycle_time": SECONDS},
            f"{MACRO}.readout": {"bits": 8, "columns_per_adc": 4},
            f"{CELL}.g_min": 1e-6,
            f"{CELL}.pulse": {"width": 1e-7, "step": 5e-7, "max_width": 1e-5},
            f"{CELL}.device": {"kind": "gaussian", "programming_error": 1e-6},
        }
    )


def slow_costs(chips: ProgrammedChips, commands: list) -> dict[str, float]:
    """J in cells, pulses on rows, and conversions, of all commands that the chips were given."""
    mapped, dac = chips.placement.mapped, chips.placement.system.macro.dac
    cells = {
        (chips.placement.sites[tile.tile].address, region_of(chips.placement, tile.tile)): mapped.targets(
            mapped.tiles[tile.tile]
        )
        + tile.error
        for tile in chips.report.tiles
    }
    found = dict.fromkeys(("cells", "dac", "adc"), 0.0)
    for command, codes in commands:
        conductance = cells[command.address, command.region]
        dense = codes.dense() if isinstance(codes, WindowedCodes) else codes
        steps = expand(dense, command.inputs, dac).codes.values.double().movedim(1, -1).flatten(0, -2)
        volts = VOLT * steps.repeat_interleave(len(conductance) // steps.shape[1], 1)
        columns = conductance.shape[1] // (2 if command.wiring.pairing == "columns" else 1)
        found["cells"] += (volts.square() @ conductance).sum().item() * SECONDS
        found["dac"] += (volts != 0).sum().item()
        found["adc"] += len(steps) * columns
    return found


@pytest.mark.parametrize(("case", "mapping"), product(("chain", "groups", "attention"), MAPPINGS))
def test_a_run_costs_what_each_of_its_commands_does(case, mapping, monkeypatch):
    commands, mvm_many = [], SimulatedBackend.mvm_many

    def record(self, given, codes, *rest):
        commands.extend((command, codes) for command in given)
        return mvm_many(self, given, codes, *rest)

    monkeypatch.setattr(SimulatedBackend, "mvm_many", record)
    graph, inputs = CASES[case]
    system = erring_system()
    placement = place_graph(graph, inputs, system, MAPPINGS[mapping].replace(input_mode="bit_serial"))
    chips = program(placement, SimulatedBackend(system, 3))
    report = account(chips, run(chips, inputs, batch_size=len(inputs) - 1, probe_samples=0), round_table())
    slow, number = slow_costs(chips, commands), report.num_samples
    fast = {name: sum(p.count for p in report.parts if p.component == name) for name in ("dac", "adc")}
    assert fast["dac"] * number == pytest.approx(slow["dac"], rel=1e-12)
    assert fast["adc"] * number == pytest.approx(slow["adc"], rel=1e-12)
    assert report.energy_by_component["cells"] * number == pytest.approx(slow["cells"], rel=1e-12)
