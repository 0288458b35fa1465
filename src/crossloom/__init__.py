"""crossloom: from a trained network to answers from memristor chips.

    import crossloom as xl

    system = xl.load_system("tsinghua_c200")
    placement = xl.compile(model, system, data=calibration_batches)
    chips = xl.program(placement, xl.simulate(system, seed=0))
    result = xl.run(chips, images)
    xl.Report(placement, chips, result, labels=labels).save("report.html")

Every name below is loaded when it is first used, so that `import crossloom` is quick and does not need torch.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "errors": (
        "ArtefactError BackendError CapacityError ConfigError ConvergenceError CrossloomError DataError GraphError "
        "MissingDependencyError ProgramError RunError SearchError SpecError TrainingError "
        "UnsupportedOperationError"
    ),
    "spec": "SystemSpec Wires list_devices list_systems load_device load_system BitSerial MultiLevel Pulse",
    "units": "format_si",
    "graph": "Graph simplify trace",
    "graph.onnx": "import_onnx",
    "quant": "LayerQuantConfig LearnedLayer QuantConfig QuantizedGraph quantize",
    "mapping": (
        "DifferentialPair LayerMappingConfig MappedGraph MappingConfig OffsetColumn SignMagnitude TwosComplement "
        "Whole map_graph"
    ),
    "placement": "ForbiddenRegion PipelineSchedule Placement PlacementConfig check_placement check_schedule place",
    "hardware": "Backend",
    "circuits": "Crossbar approximate_conductance effective_conductance",
    "backends": "MockBackend RecordedBackend Recording RecordingBackend SimulatedBackend",
    "programming": (
        "DirectSet GradientProgramming IncrementalStep ProgramTwice ProgrammedChips ProgrammingPlan ProgrammingReport "
        "Vipi WriteVerify advance attach plan_programming program refresh"
    ),
    "runtime": "RunResult run",
    "calibration": (
        "Calibration CalibrationConfig CalibrationPlan calibrate choose_integration_times measure_errors "
        "plan_calibration"
    ),
    "training": (
        "AnalogConfig AnalogConv1d AnalogConv2d AnalogConv3d AnalogLinear analog_summary convert_to_analog "
        "convert_to_digital load_learned noisy save_learned "
        "ConverterClipping ConverterOffsets DropConnect IrDrop OutputNoise ProgrammingErrors ReadNoise StuckCells "
        "TrainingConfig TrainingResult WeightNoise evaluate_accuracy measure_output_noise reestimate_norms "
        "scale_effects train InPlace MixedPrecision OnChipConfig OnChipResult SignUpdate TikiTaka learn_on_chip "
        "InTheLoopConfig InTheLoopResult LayerByLayerConfig program_in_the_loop tune_in_the_loop"
    ),
    "cost": "ComponentTable CostReport account estimate list_tables load_table schedule",
    "fitting": "DeviceFit FitConfig fit_device",
    "search": (
        "Budget Choice Float GaussianProcess Genetic Grid Int Outcome PrecisionChoice Random Ray Sobol Space Study Tpe "
        "choose_precision over_chips sweep"
    ),
    "search.tuning": "Exhaustive Knobs LayerByLayer LayerTuning Scores TuningResult TwoStages tune",
    "pipeline": "MaintenanceReport RefreshConfig Waterfall compile maintain replicate simulate waterfall",
    "report": "CostView Report StudyView TuningView report_of",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}

__all__ = ["__version__", *sorted(_HOME_OF)]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'crossloom' has no attribute {name!r}")
    value = getattr(import_module(f"crossloom.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
