"""The stage: programmed chips answer."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import torch

from crossloom.artefacts import Artefact, saved
from crossloom.errors import ConfigError, DataError, RunError
from crossloom.graph import Input, Interpreter, Matrix, check_inputs, find_node, float_matrix
from crossloom.hardware import Draw
from crossloom.programming import ProgrammedChips
from crossloom.progress import track
from crossloom.quant import finish, integer_matrix
from crossloom.registry import did_you_mean
from crossloom.runtime.counts import ActionCounts, total
from crossloom.runtime.layer import LayerOnChips
from crossloom.runtime.probe import LayerProbe, LayerQuality, measure

Batch = torch.Tensor | tuple[torch.Tensor, ...]
Mode = Literal["chip", "integer", "float"]
Hook = Callable[[LayerProbe], None]


@saved
@dataclass(frozen=True)
class RunResult(Artefact):
    """What the chips answered, and what they did for it.

    outputs: a tensor, or a tuple of several.  inputs: what they answered to.  counts: actions by layer.
    quality: how faithful each layer on the chips is, measured on the first samples.  notes: what a reader of
    the figures should know.
    """

    outputs: Batch = field(repr=False)
    inputs: tuple[torch.Tensor, ...] = field(repr=False)
    counts: Mapping[str, ActionCounts] = field(repr=False)
    quality: tuple[LayerQuality, ...] = field(repr=False)
    modes: Mapping[str, str] = field(repr=False)
    seed: int
    notes: tuple[str, ...] = ()

    @cached_property
    def total(self) -> ActionCounts:
        """The counts of all layers together."""
        return total(self.counts.values())

    def summary(self) -> str:
        """How much the chips did."""
        counts, num_samples = self.total, len(self.inputs[0])
        lines = [
            f"RunResult: {num_samples} samples, {counts.num_mvms:,} MVMs, {counts.num_cycles:,} cycles, "
            f"{counts.num_conversions:,} conversions, {counts.bytes_in + counts.bytes_out:,} bytes over links"
        ]
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])


def run(
    chips: ProgrammedChips,
    inputs: Batch,
    *,
    batch_size: int = 64,
    mode: Mode = "chip",
    modes: Mapping[str, Mode] | None = None,
    hooks: Mapping[str, Hook] | None = None,
    stop_at: str | None = None,
    seed: int = 0,
    probe_samples: int = 16,
) -> RunResult:
    """Run inputs through programmed chips.

    Args:
        inputs: a tensor [sample, ...], or a tuple of them for several inputs.
        batch_size: samples that go through together; the answers do not depend on it.
        mode: where layers run: on the chip, in the integer interpreter, or in float.
        modes: the same for single layers by name.
        hooks: called with a layer's input, ideal output and chip output, batch by batch.
        stop_at: the name of a node or layer whose value to return instead of the outputs.
        seed: of the read noise of this run.
        probe_samples: how many of the first samples measure the layers' quality; 0 for none.

    Raises DataError when inputs do not fit the model, RunError for unknown layers, before anything runs.
    """
    batch = (inputs,) if isinstance(inputs, torch.Tensor) else tuple(inputs)
    placed = _modes(chips, mode, modes or {})
    _check(chips, batch, batch_size, placed, hooks or {}, stop_at)
    executor = _Executor(chips, placed, hooks or {}, stop_at)
    with torch.no_grad():
        quality = executor.probe(tuple(part[:probe_samples] for part in batch), seed) if probe_samples else ()
        outputs = executor.run_all(batch, batch_size, seed)
    is_single = chips.placement.mapped.quantized.graph.single_output or stop_at is not None
    answer: Batch = outputs[0] if is_single and len(outputs) == 1 else outputs
    return RunResult(answer, batch, executor.counts, quality, placed, seed, _notes(chips, placed))


class _Executor:
    """A programmed model, ready to run batches; counts what the chips do."""

    def __init__(
        self,
        chips: ProgrammedChips,
        modes: Mapping[str, Mode],
        hooks: Mapping[str, Hook],
        stop_at: str | None,
    ) -> None:
        placement = chips.placement
        quantized = placement.mapped.quantized
        self._quantized, self._modes, self._hooks, self._stop_at = quantized, modes, hooks, stop_at
        self._float, self._integer = float_matrix(quantized.graph), integer_matrix(quantized)
        self._on_chips = {
            node.name: LayerOnChips(placement, node, chips.backend)
            for node in quantized.graph.matrices
            if modes[node.name] == "chip"
        }
        self._interpreter = Interpreter(quantized.graph, self._matrix)
        self._draw = Draw(0)
        self._quality: dict[str, LayerQuality] | None = None
        self.counts: dict[str, ActionCounts] = {}

    def run_all(
        self, batch: tuple[torch.Tensor, ...], batch_size: int, seed: int
    ) -> tuple[torch.Tensor, ...]:
        """The outputs of all samples, batch by batch."""
        starts = range(0, len(batch[0]), batch_size)
        parts = []
        for start in track(starts, "running", len(starts)):
            self._draw = Draw(seed, start)
            pieces = tuple(part[start : start + batch_size] for part in batch)
            parts.append(self._interpreter(pieces, stop_at=self._stop_at))
        return parts[0] if len(parts) == 1 else tuple(map(torch.cat, zip(*parts, strict=True)))

    def probe(self, batch: tuple[torch.Tensor, ...], seed: int) -> tuple[LayerQuality, ...]:
        """The quality of every layer on the chips, on one small batch; counts nothing."""
        self._quality, self._draw = {}, Draw(seed)
        self._interpreter(batch, stop_at=self._stop_at)
        quality, self._quality = tuple(self._quality.values()), None
        return quality

    def _matrix(self, node: Matrix, values: torch.Tensor) -> torch.Tensor:
        if self._modes[node.name] == "float":
            return self._float(node, values)
        if self._modes[node.name] == "integer":
            return self._integer(node, values)
        layer, is_probe = self._on_chips[node.name], self._quality is not None
        codes = layer.codes(values)
        sums, readings = layer.sums(codes, self._draw, count_codes=is_probe)
        answer = finish(node, self._quantized.layers[node.name], layer.shaped(sums, values))
        if self._quality is not None:
            self._quality[node.name] = measure(node.name, self._integer(node, values), answer, readings)
            return answer
        self.counts[node.name] = self.counts.get(node.name, ActionCounts()) + layer.count(codes)
        if node.name in self._hooks:
            self._hooks[node.name](LayerProbe(node.name, values, self._integer(node, values), answer))
        return answer


def _modes(chips: ProgrammedChips, mode: Mode, modes: Mapping[str, Mode]) -> dict[str, Mode]:
    mapped = chips.placement.mapped
    names = [node.name for node in mapped.quantized.graph.matrices]
    for name, own in modes.items():
        if name not in names:
            raise RunError(f"modes: no layer is called {name!r}; {did_you_mean(name, names)}")
        if own not in ("chip", "integer", "float"):
            raise RunError(f"modes: need chip, integer or float for {name}, got {own!r}")
    if mode not in ("chip", "integer", "float"):
        raise RunError(f"need mode chip, integer or float, got {mode!r}")
    placed: dict[str, Mode] = {name: modes.get(name, mode) for name in names}
    for name in names:
        if placed[name] == "chip" and name not in mapped.schemes:
            placed[name] = "integer"
    return placed


def _check(
    chips: ProgrammedChips,
    batch: tuple[torch.Tensor, ...],
    batch_size: int,
    modes: Mapping[str, Mode],
    hooks: Mapping[str, Hook],
    stop_at: str | None,
) -> None:
    graph = chips.placement.mapped.quantized.graph
    if batch_size < 1:
        raise ConfigError(f"need batch_size >= 1, got {batch_size}")
    if len({len(part) for part in batch}) > 1:
        raise DataError(f"inputs need the same number of samples, got {[len(part) for part in batch]}")
    _check_static_batch(graph.inputs, batch, batch_size)
    check_inputs(graph, tuple(part[:batch_size] for part in batch))
    for part in batch:
        if part.is_floating_point() and not torch.isfinite(part).all():
            raise DataError("inputs hold NaN or infinite values; remove them first")
    for name in hooks:
        if modes.get(name) != "chip":
            raise RunError(f"hooks: no layer {name!r} runs on the chip; {did_you_mean(name, list(modes))}")
    if stop_at is not None:
        find_node(graph, stop_at)


def _check_static_batch(wanted: Sequence[Input], batch: tuple[torch.Tensor, ...], batch_size: int) -> None:
    """A model that fixes its batch runs whole batches of just that size."""
    for node, part in zip(wanted, batch, strict=False):
        fixed = node.shape[0] if node.shape else None
        if fixed is not None and (batch_size != fixed or len(part) % fixed):
            raise RunError(
                f"this model fixes its batch at {fixed} samples; give batch_size={fixed} and a multiple of it as inputs"
            )


def _notes(chips: ProgrammedChips, modes: Mapping[str, Mode]) -> tuple[str, ...]:
    notes = []
    if chips.report is None and "chip" in modes.values():
        notes.append("these chips were not programmed by this flow: their cells are as they were found")
    off = [name for name in chips.placement.mapped.schemes if modes[name] != "chip"]
    if off:
        notes.append(
            f"{len(off)} of {len(modes)} mapped layers did not run on the chip: {', '.join(off[:5])}"
        )
    return tuple(notes)
