"""Sessions with chips, written down and played back: an algorithm meets the same answers again."""

import hashlib
from abc import abstractmethod
from dataclasses import dataclass, field
from typing import Any

import torch

from crossloom.artefacts import Artefact, saved
from crossloom.errors import BackendError
from crossloom.hardware import (
    Backend,
    CodeCounts,
    Codes,
    Draw,
    MvmCommand,
    OnChipSet,
    Reading,
    Region,
    Timed,
    WindowedCodes,
)
from crossloom.spec import MacroAddress, SystemSpec

saved(SystemSpec)
saved(Reading)
saved(CodeCounts)


@saved
@dataclass(frozen=True)
class Exchange:
    """One call and its answer. `asked` is a fingerprint of the arguments."""

    verb: str
    place: str
    asked: str
    answer: torch.Tensor | Reading | None = field(repr=False)


@saved
@dataclass(frozen=True)
class Recording(Artefact):
    """All that was said across the line, in order."""

    spec: SystemSpec
    exchanges: tuple[Exchange, ...] = field(repr=False)

    def summary(self) -> str:
        """How much was said."""
        return f"Recording of {self.spec.name}: {len(self.exchanges)} exchanges"


class _Line(Backend):
    """The verbs of a backend, each as one exchange."""

    def pulse(
        self,
        address: MacroAddress,
        region: Region,
        widths: torch.Tensor,
        voltages: torch.Tensor | None = None,
    ) -> None:
        # Pulses of the nominal voltage keep the fingerprint of sessions from before pulses had a voltage.
        asked = (widths,) if voltages is None else (widths, voltages)
        self._exchange(
            "pulse", f"{address} {region}", asked, lambda chip: chip.pulse(address, region, *asked)
        )

    def set(self, address: MacroAddress, region: Region, targets: torch.Tensor) -> None:
        """Bring cells to `targets`, S, [row, column]. BackendError when the chips cannot."""

        def ask(chip: Backend) -> None:
            if not isinstance(chip, OnChipSet):
                raise BackendError(f"{type(chip).__name__} cannot set cells on its own; use WriteVerify()")
            chip.set(address, region, targets)

        self._exchange("set", f"{address} {region}", (targets,), ask)

    def read(self, address: MacroAddress, region: Region) -> torch.Tensor:
        return self._exchange("read", f"{address} {region}", (), lambda chip: chip.read(address, region))

    def wait(self, elapsed: float) -> None:
        """Let `elapsed` seconds pass, where the chips know of time."""
        self._exchange(
            "wait", str(elapsed), (), lambda chip: chip.wait(elapsed) if isinstance(chip, Timed) else None
        )

    def mvm(self, command: MvmCommand, codes: Codes, draw: Draw, count_codes: bool = False) -> Reading:
        # MVMs at the drivers' own voltage keep the place of sessions from before commands had a voltage.
        told = repr(command).replace(", read_voltage=None", "")
        place = f"{told} {_layout(codes)} {draw} {count_codes}"
        return self._exchange(
            "mvm", place, (codes.values,), lambda chip: chip.mvm(command, codes, draw, count_codes)
        )

    @abstractmethod
    def _exchange(self, verb: str, place: str, tensors: tuple[torch.Tensor, ...], ask: Any) -> Any:
        """Put one call on the line: `ask` has the chips answer it."""


class RecordingBackend(_Line):
    """Passes every call on to real or simulated chips, and writes it down with its answer."""

    def __init__(self, chips: Backend) -> None:
        self._chips = chips
        self._exchanges: list[Exchange] = []

    @property
    def spec(self) -> SystemSpec:
        return self._chips.spec

    def recording(self) -> Recording:
        """What has been said so far."""
        return Recording(self.spec, tuple(self._exchanges))

    def _exchange(self, verb: str, place: str, tensors: tuple[torch.Tensor, ...], ask: Any) -> Any:
        answer = ask(self._chips)
        self._exchanges.append(Exchange(verb, place, _fingerprint(tensors), _copy(answer)))
        return answer


class RecordedBackend(_Line):
    """Plays a recording back: the same calls in the same order get the same answers, anything else is refused."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._next = 0

    @property
    def spec(self) -> SystemSpec:
        return self._recording.spec

    @property
    def is_finished(self) -> bool:
        """Whether everything that was recorded has been played."""
        return self._next == len(self._recording.exchanges)

    def _exchange(self, verb: str, place: str, tensors: tuple[torch.Tensor, ...], ask: Any) -> Any:
        number, exchanges = self._next, self._recording.exchanges
        if number >= len(exchanges):
            raise BackendError(
                f"the recording ends after {number} calls; {verb} on {place} was never recorded"
            )
        known = exchanges[number]
        if (known.verb, known.place, known.asked) != (verb, place, _fingerprint(tensors)):
            raise BackendError(
                f"call {number}: recorded was {known.verb} on {known.place}, asked is {verb} on {place}"
                f"{' with other values' if (known.verb, known.place) == (verb, place) else ''}; record the session anew"
            )
        self._next += 1
        return _copy(known.answer)


def _layout(codes: Codes) -> str:
    window = f" under {codes.window}" if isinstance(codes, WindowedCodes) else ""
    return f"{type(codes).__name__} of {codes.num_samples} samples{window}"


def _copy(answer: torch.Tensor | Reading | None) -> torch.Tensor | Reading | None:
    """The same answer in tensors of its own: what a caller does to it leaves the recording as it is."""
    if isinstance(answer, Reading):
        counts = answer.codes and CodeCounts(answer.codes.lowest, answer.codes.counts.clone())
        return Reading(answer.sums.clone(), counts)
    return None if answer is None else answer.clone()


def _fingerprint(tensors: tuple[torch.Tensor, ...]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for tensor in tensors:
        flat = tensor.detach().to("cpu").contiguous().flatten()
        digest.update(
            f"{tensor.dtype}{tuple(tensor.shape)}".encode() + flat.view(torch.uint8).numpy().tobytes()
        )
    return digest.hexdigest()
