"""Where the accuracy goes: the same inputs at every station from float to the noisy chip."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch

from crossloom.artefacts import Artefact, saved
from crossloom.backends import SimulatedBackend
from crossloom.errors import DataError
from crossloom.hardware import Quietable
from crossloom.programming import DirectSet, ProgrammedChips, program
from crossloom.runtime import RunResult, run
from crossloom.spec import GaussianDeviceSpec, SystemSpec


@saved
@dataclass(frozen=True)
class Station:
    """One stop on the way. accuracy: share of labels met, None without labels.  agreement: share of answers
    equal to float's.  snr_db: outputs against float's, None when equal."""

    name: str
    accuracy: float | None
    agreement: float | None
    snr_db: float | None


@saved
@dataclass(frozen=True)
class Waterfall(Artefact):
    """All stations, in order, and what a reader of them should know."""

    stations: tuple[Station, ...]
    num_samples: int
    notes: tuple[str, ...] = field(default=())

    def summary(self) -> str:
        """One line per station."""
        lines = [f"Waterfall over {self.num_samples:,} samples"]
        for station in self.stations:
            figure = station.agreement if station.accuracy is None else station.accuracy
            kind = "agreement with float" if station.accuracy is None else "accuracy"
            shown = "" if figure is None else f"{kind} {figure:.2%}"
            snr = "exact" if station.snr_db is None else f"{station.snr_db:.1f} dB"
            lines.append(f"  {station.name:<24} {shown:<18} SNR {snr}")
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])


def waterfall(chips: ProgrammedChips, result: RunResult, labels: torch.Tensor | None = None) -> Waterfall:
    """Run the inputs of `result` at every station before it.

    The last station, "with read noise", is `result` itself: on a system that names no read noise it equals the one
    before.

    labels: [sample] class numbers; None compares with the float network alone. DataError when their number is
    not that of the samples.
    """
    num_samples = len(result.inputs[0])
    labels = None if labels is None else torch.as_tensor(labels)
    if labels is not None and tuple(labels.shape) != (num_samples,):
        raise DataError(f"need one label for each of {num_samples} samples, got {list(labels.shape)}")
    placement = chips.placement
    ideal = program(placement, SimulatedBackend(placement.system.noiseless()), DirectSet(), settle=0.0)
    names = ["float", "quantised", "mapped, ideal chip"]
    answers = [
        _answer(chips, result, "float"),
        _answer(chips, result, "integer"),
        _answer(ideal, result, "chip"),
    ]
    if isinstance(chips.backend, Quietable):
        quiet = replace(chips, backend=chips.backend.quiet())
        names.append("programmed")
        answers.append(_answer(quiet, result, "chip"))
    names.append("with read noise")
    answers.append(_first(result.outputs))
    stations = tuple(
        _station(name, answer, answers[0], labels) for name, answer in zip(names, answers, strict=True)
    )
    return Waterfall(stations, num_samples, (*result.notes, *_idle_effects(chips, answers)))


def _answer(chips: ProgrammedChips, result: RunResult, mode: str) -> torch.Tensor:
    answered = run(chips, result.inputs, mode=mode, seed=result.seed, probe_samples=0)  # type: ignore[arg-type]
    return _first(answered.outputs)


def _first(outputs: torch.Tensor | tuple[torch.Tensor, ...]) -> torch.Tensor:
    return outputs if isinstance(outputs, torch.Tensor) else outputs[0]


def _station(name: str, answer: torch.Tensor, exact: torch.Tensor, labels: torch.Tensor | None) -> Station:
    if answer.shape != exact.shape:
        return Station(name, None, None, None)
    is_classifier = exact.dim() == 2 and exact.is_floating_point()
    best = answer.argmax(1) if is_classifier else None
    accuracy = agreement = None
    if best is not None:
        agreement = (best == exact.argmax(1)).double().mean().item()
        accuracy = None if labels is None else (best == labels.to(best)).double().mean().item()
    error = (answer.double() - exact.double()).square().mean()
    power = exact.double().square().mean().clamp(min=1e-300)
    snr = None if error == 0 else 10 * torch.log10(power / error).item()
    return Station(name, accuracy, agreement, snr)


def _idle_effects(chips: ProgrammedChips, answers: Sequence[torch.Tensor]) -> list[str]:
    """Nonidealities that are switched on and changed nothing."""
    if len(answers) < 5:
        return []
    kept, drawn = _switched_on(chips.backend.spec)
    notes = []
    if torch.equal(answers[2], answers[3]):
        notes += [
            f"{name} is switched on, but the programmed chips answer just as ideal ones do" for name in kept
        ]
    if torch.equal(answers[3], answers[4]):
        notes += [f"{name} is switched on, but it changed no answer" for name in drawn]
    return notes


_KEPT_EFFECTS = (
    *("variation", "stuck_low", "stuck_high", "relaxation", "drift"),
    *("telegraph_noise", "read_disturb", "endurance", "temperature"),
)


def _switched_on(system: SystemSpec) -> tuple[list[str], list[str]]:
    """The nonidealities of a system: those that programmed chips keep, and those that every read draws anew."""
    device, macro = system.macro.cell.device, system.macro
    kept = {**macro.dac.imperfections(), **macro.readout.imperfections()}
    crossbar = macro.crossbar
    kept["wires"] = crossbar.wires is not None and not crossbar.wires.is_zero
    kept["iv"] = crossbar.cell.iv is not None
    kept["access"] = crossbar.cell.access is not None and bool(crossbar.cell.access.resistance)
    drawn = {}
    if isinstance(device, GaussianDeviceSpec):
        error, noise = device.programming_error, device.read_noise
        kept["programming_error"] = error is not None and not error.is_zero
        kept |= {name: getattr(device, name) for name in _KEPT_EFFECTS}
        drawn["read_noise"] = noise is not None and not noise.is_zero
        drawn |= {name: getattr(device, name) for name in ("flicker_noise", "thermal_noise")}
    return [name for name, value in kept.items() if value], [name for name, value in drawn.items() if value]
