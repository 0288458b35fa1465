"""One artefact of every kind, from one small flow, and what each of them does."""

from collections.abc import Callable
from typing import Any

import torch

from crossloom.artefacts import Artefact
from crossloom.backends import RecordedBackend, RecordingBackend, SimulatedBackend
from crossloom.calibration import CalibrationConfig, calibrate
from crossloom.cost import account
from crossloom.graph import interpret
from crossloom.mapping import MappingConfig, SignMagnitude
from crossloom.pipeline import RefreshConfig, maintain, waterfall
from crossloom.programming import WriteVerify, program
from crossloom.quant import interpret_integers
from crossloom.runtime import run
from flows import noisy_system, normal, place_graph
from small_graphs import chain_graph

INPUTS = normal(12, 20)
SYSTEM = noisy_system(
    readout={"offset": 1.0, "gain_error": 0.02},
    programming_error=1e-6,
    read_noise=1e-6,
    variation=0.02,
    stuck_low=0.01,
    stuck_high=0.01,
)


def make_artefacts() -> dict[str, Artefact]:
    """By kind."""
    graph = chain_graph(normal(10, 20, seed=1), normal(4, 10, seed=2))
    mapping = MappingConfig(
        slicing=SignMagnitude(bits_per_cell=2), copies=2, layers={"layer2": {"row_copies": 2}}
    )
    placement = place_graph(graph, INPUTS, SYSTEM, mapping)
    chips = program(placement, SimulatedBackend(SYSTEM, 3), WriteVerify(max_pulses=10))
    recorder = RecordingBackend(SimulatedBackend(SYSTEM, 3))
    program(placement, recorder, WriteVerify(max_pulses=10))
    result = run(chips, INPUTS)
    made = [
        graph,
        placement.mapped.quantized,
        placement.mapped,
        placement,
        chips,
        chips.report,
        result,
        account(chips, result),
        waterfall(chips, result, torch.arange(12) % 4),
        recorder.recording(),
        calibrate(chips, INPUTS, CalibrationConfig(ranges="mse", drift="layer", channels=True)),
        maintain(chips, 1.0, INPUTS, RefreshConfig(check_interval=1.0, interval=1.0))[1],
    ]
    return {type(artefact).__name__: artefact for artefact in made}


def _programmed(placement: Any) -> Any:
    return program(placement, SimulatedBackend(SYSTEM, 5), WriteVerify(max_pulses=10))


def _visits(report: Any) -> tuple[torch.Tensor, ...]:
    return tuple(torch.tensor([visit.error, visit.num_pulses]) for visit in report.visits)


BEHAVIOUR: dict[str, Callable[[Any], Any]] = {
    "Graph": lambda graph: interpret(graph, (INPUTS,)),
    "QuantizedGraph": lambda quantized: interpret_integers(quantized, (INPUTS,)),
    "MappedGraph": lambda mapped: tuple(mapped.targets(tile) for tile in mapped.tiles),
    "Placement": lambda placement: (run(_programmed(placement), INPUTS).outputs,),
    "ProgrammedChips": lambda chips: (
        run(chips, INPUTS, seed=4).outputs,
        run(chips, INPUTS, seed=4, batch_size=5).outputs,
    ),
    "ProgrammingReport": lambda report: tuple(tile.error for tile in report.tiles),
    "RunResult": lambda result: (result.outputs, *result.inputs),
    "CostReport": lambda report: (torch.tensor([part.energy for part in report.parts]),),
    "Calibration": lambda calibration: (
        run(_ARTEFACTS["ProgrammedChips"].with_calibration(calibration), INPUTS).outputs,
    ),
    "MaintenanceReport": _visits,
    "Waterfall": lambda fall: (torch.tensor([station.accuracy for station in fall.stations]),),
    "Recording": lambda recording: tuple(
        tile.error
        for tile in program(
            _ARTEFACTS["Placement"], RecordedBackend(recording), WriteVerify(max_pulses=10)
        ).report.tiles
    ),
}
_ARTEFACTS = make_artefacts()


def artefact(kind: str) -> Any:
    """The artefact of this kind."""
    return _ARTEFACTS[kind]
