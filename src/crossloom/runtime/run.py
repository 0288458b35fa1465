"""The stage: programmed chips answer."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import Literal

import torch

from crossloom.artefacts import Artefact, saved
from crossloom.errors import ConfigError, DataError, RunError
from crossloom.graph import Graph, Input, Interpreter, Matrix, check_inputs, find_node, float_matrix
from crossloom.hardware import Draw
from crossloom.programming import VALUES_SHARE, ProgrammedChips, Rewritten, RoundsBackend, StreamedBackend
from crossloom.progress import track
from crossloom.quant import finish, integer_matrix
from crossloom.registry import did_you_mean
from crossloom.runtime.activity import LayerActivity
from crossloom.runtime.counts import ActionCounts, count_layer, input_format, total
from crossloom.runtime.draws import Draws
from crossloom.runtime.layer import LayerOnChips
from crossloom.runtime.memory import keep_memory
from crossloom.runtime.probe import LayerProbe, LayerQuality, average, measure
from crossloom.runtime.samples import SampleLayout, join, sample_layouts

Batch = torch.Tensor | tuple[torch.Tensor, ...]
Mode = Literal["chip", "integer", "float"]
Hook = Callable[[LayerProbe], None]
_STEP, _MOST_STEPS = 32, 8  # read noise is drawn for 32 samples at a time
_LIVELY = 2**20  # numbers: larger values leave the cache
_BYTES_PER_VALUE, _BYTES_PER_CYCLE = (
    32,
    8,
)  # of the largest node: inputs, sums and answers; cycles and their noise


@saved
@dataclass(frozen=True)
class RunResult(Artefact):
    """What the chips answered, and what they did for it.

    outputs: a tensor, or a tuple of several.  inputs: what they answered to.  counts: actions by layer.
    activity: how strongly each layer's inputs drove their rows.  quality: how faithful each layer on the chips is,
    measured on the first samples.  notes: what a reader of the figures should know.  rewritten: what was written on the
    way, where the system is too small for all tiles at once.
    """

    outputs: Batch = field(repr=False)
    inputs: tuple[torch.Tensor, ...] = field(repr=False)
    counts: Mapping[str, ActionCounts] = field(repr=False)
    quality: tuple[LayerQuality, ...] = field(repr=False)
    modes: Mapping[str, str] = field(repr=False)
    seed: int
    notes: tuple[str, ...] = ()
    activity: Mapping[str, LayerActivity] = field(default_factory=dict, repr=False)
    rewritten: Rewritten | None = None

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
    batch_size: int | None = None,
    mode: Mode = "chip",
    modes: Mapping[str, Mode] | None = None,
    hooks: Mapping[str, Hook] | None = None,
    stop_at: str | None = None,
    seed: int = 0,
    probe_samples: int = 16,
    count_activity: bool = True,
) -> RunResult:
    """Run inputs through programmed chips.

    Args:
        inputs: a tensor [sample, ...], or a tuple of them for several inputs.
        batch_size: samples that go through together; the answers do not depend on it, unless the system is written
            in rounds, which every batch costs once. None takes what the
            model fixes, or 32 to 256, the fewer the larger the model's values are; on chips that do not fit in
            memory, as many as its share for values holds, so that macros need not be made more often than once.
        mode: where layers run: on the chip, in the integer interpreter, or in float.
        modes: the same for single layers by name.
        hooks: called with a layer's input, ideal output and chip output, batch by batch; where a state meets the layer,
            step by step.
        stop_at: the name of a node or layer whose value to return instead of the outputs.
        seed: of the read noise of this run.
        probe_samples: how many of the first samples measure the layers' quality; 0 for none.
        count_activity: count how strongly rows are driven, which `account` needs; takes about a
            twentieth of the time bit by bit, nothing to speak of by pulses, and up to a fifth with multi-level inputs.

    Raises DataError when inputs do not fit the model, RunError for unknown layers, before anything runs.
    """
    _check_chips(chips)
    graph = chips.placement.mapped.quantized.graph
    batch, fixed = _as_batch(inputs), _fixed_batch(graph.inputs)
    if batch_size is None:
        batch_size = fixed or _usual_batch(chips)
    placed = _modes(chips, mode, modes or {})
    _check(graph, batch, batch_size, placed, hooks or {}, stop_at)
    probe_samples = fixed if fixed and probe_samples else probe_samples
    executor = _Executor(chips, placed, hooks or {}, stop_at, count_activity)
    keep_memory()
    with torch.no_grad():
        quality = executor.probe(tuple(part[:probe_samples] for part in batch), seed) if probe_samples else ()
        outputs = executor.run_all(batch, batch_size, seed)
    is_single = graph.single_output or stop_at is not None
    answer: Batch = outputs[0] if is_single and len(outputs) == 1 else outputs
    written = executor.rewritten
    notes = (*_notes(chips, placed), *([written.summary()] if written else []))
    return RunResult(
        answer, batch, executor.counts, quality, placed, seed, notes, executor.activity(), written
    )


class _Executor:
    """A programmed model, ready to run batches; counts what the chips do."""

    def __init__(
        self,
        chips: ProgrammedChips,
        modes: Mapping[str, Mode],
        hooks: Mapping[str, Hook],
        stop_at: str | None,
        count_activity: bool,
    ) -> None:
        self._count_activity = count_activity
        placement = chips.placement
        quantized = placement.mapped.quantized
        self._placement = placement
        self._quantized, self._modes, self._hooks, self._stop_at = quantized, modes, hooks, stop_at
        self._float, self._integer = float_matrix(quantized.graph), integer_matrix(quantized)
        corrections = {} if chips.corrections is None else chips.corrections.layers
        backend = chips.backend.copy() if isinstance(chips.backend, RoundsBackend) else chips.backend
        self._backend = backend
        self._on_chips = {
            node.name: LayerOnChips(placement, node, backend, corrections.get(node.name))
            for node in quantized.graph.matrices
            if modes[node.name] == "chip"
        }
        self._interpreter = Interpreter(quantized.graph, self._matrix)
        self._draws, self._num_samples = Draws(placement.mapped.tied), 1
        self._like: tuple[tuple[int, ...], ...] | None = None
        self._quality: dict[str, list[LayerQuality]] | None = None
        self._vectors: Counter[str] = Counter()
        self.counts: dict[str, ActionCounts] = {}

    def run_all(
        self, batch: tuple[torch.Tensor, ...], batch_size: int, seed: int
    ) -> tuple[torch.Tensor, ...]:
        """The outputs of all samples, batch by batch."""
        starts = range(0, len(batch[0]), batch_size)
        parts = []
        for start in track(starts, "running", len(starts)):
            pieces = tuple(part[start : start + batch_size] for part in batch)
            parts.append(self._interpret(pieces, seed, start))
        return parts[0] if len(parts) == 1 else self._join(parts, batch_size)

    def _join(self, parts: Sequence[tuple[torch.Tensor, ...]], batch_size: int) -> tuple[torch.Tensor, ...]:
        """The answers of all batches, each along the axis of its samples."""
        graph = self._quantized.graph
        names = graph.outputs
        if self._stop_at is not None:
            names = (find_node(graph, self._stop_at).name,) * len(parts[0])
        nodes = {node.name: node for node in graph.nodes}
        is_plain = all(
            _has_samples_in_front(nodes[name].shape) and len(piece) == batch_size
            for name, piece in zip(names, parts[0], strict=True)
        )
        layouts = {} if is_plain else self._layouts
        pieces = zip(*parts, strict=True)
        return tuple(join(found, layouts.get(name)) for name, found in zip(names, pieces, strict=True))

    def probe(self, batch: tuple[torch.Tensor, ...], seed: int) -> tuple[LayerQuality, ...]:
        """The quality of every layer on the chips, on one small batch; counts nothing."""
        self._quality = {}
        self._interpret(batch, seed, 0)
        quality, self._quality = tuple(average(parts) for parts in self._quality.values()), None
        return quality

    @property
    def rewritten(self) -> Rewritten | None:
        """What was written on the way; None where nothing was."""
        found = self._backend.rewritten if isinstance(self._backend, RoundsBackend) else None
        return found if found and found.num_rounds else None

    def activity(self) -> dict[str, LayerActivity]:
        """How strongly the inputs of every layer that ran on the chips drove their rows."""
        counted = self.counts if self._count_activity else ()
        return {name: self._on_chips[name].meter.activity() for name in counted}

    def _interpret(
        self, batch: tuple[torch.Tensor, ...], seed: int, first_sample: int
    ) -> tuple[torch.Tensor, ...]:
        self._draws.begin(Draw(seed, first_sample))
        self._num_samples, self._vectors = len(batch[0]), Counter()
        self._like = tuple(tuple(part.shape) for part in batch)
        answers = self._interpreter(batch, stop_at=self._stop_at)
        for name, number in self._vectors.items():
            counts = count_layer(self._placement, name, number, self._num_samples)
            self.counts[name] = self.counts.get(name, ActionCounts()) + counts
        return answers

    def _layout(self, node: Matrix, values: torch.Tensor) -> SampleLayout | None:
        is_plain = _has_samples_in_front(node.shape) and len(values) == self._num_samples
        return SampleLayout() if is_plain else self._layouts.get(node.source)

    @cached_property
    def _layouts(self) -> dict[str, SampleLayout]:
        return sample_layouts(self._quantized.graph, self._like)

    def _matrix(self, node: Matrix, values: torch.Tensor) -> torch.Tensor:
        if self._modes[node.name] == "float":
            return self._float(node, values)
        if self._modes[node.name] == "integer":
            return self._integer(node, values)
        layer, is_probe = self._on_chips[node.name], self._quality is not None
        order = layer.order(values, self._layout(node, values), self._num_samples)
        codes = layer.codes(values, order)
        sums, readings = layer.sums(codes, self._draws.next(node.name), count_codes=is_probe)
        # Chips may keep what they read.
        own = all(_memory(sums) != _memory(reading.sums) for reading in readings)
        answer = finish(node, layer.layer, layer.shaped(sums, values, order), in_place=own)
        answer = answer.to(values.dtype)
        if self._quality is not None:
            found = measure(node.name, self._integer(node, values), answer, readings)
            self._quality.setdefault(node.name, []).append(found)
            return answer
        self._vectors[node.name] += codes.num_vectors
        if self._count_activity:
            layer.meter.add(codes)
        if node.name in self._hooks:
            self._hooks[node.name](LayerProbe(node.name, values, self._integer(node, values), answer))
        return answer


def _memory(tensor: torch.Tensor) -> int:
    """Where it lies: views of one tensor lie in the same place."""
    return tensor.untyped_storage().data_ptr()


def _has_samples_in_front(shape: tuple[int | None, ...] | None) -> bool:
    """Whether axis 0 alone is dynamic; with a second one, which of them has the samples is for layouts to say."""
    return bool(shape) and shape[0] is None and shape.count(None) == 1


def _check_chips(chips: object) -> None:
    if not isinstance(chips, ProgrammedChips):
        raise RunError(
            f"need ProgrammedChips, got a {type(chips).__name__}; program them first: program(placement, backend)"
        )


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


def _as_batch(inputs: Batch) -> tuple[torch.Tensor, ...]:
    if isinstance(inputs, torch.Tensor):
        return (inputs,)
    if not isinstance(inputs, tuple | list) or not all(isinstance(part, torch.Tensor) for part in inputs):
        kinds = [type(part).__name__ for part in inputs] if isinstance(inputs, tuple | list) else inputs
        raise DataError(f"inputs must be a tensor, or a tuple of tensors, got {_kind(kinds)}")
    return tuple(inputs)


def _kind(value: object) -> str:
    return ", ".join(value) or "none at all" if isinstance(value, list) else type(value).__name__


def _fixed_batch(wanted: Sequence[Input]) -> int | None:
    """How many samples the model takes at a time, when it fixes that."""
    return next((node.shape[0] for node in wanted if node.shape and node.shape[0] is not None), None)


def _usual_batch(chips: ProgrammedChips) -> int:
    """As many samples as keep a layer's values in the cache; with fewer, layers wait for Python. Where macros are made
    when they are used, as many as there is room for."""
    placement, backend = chips.placement, chips.backend
    shapes = [node.shape for node in placement.mapped.quantized.graph.nodes if node.shape is not None]
    largest = max(prod(size or 1 for size in shape) for shape in shapes)
    if not isinstance(backend, StreamedBackend):
        return _STEP * min(max(_LIVELY // (_STEP * largest), 1), _MOST_STEPS)
    dac = placement.system.macro.dac
    cycles = max(input_format(placement, name).num_cycles(dac) for name in placement.mapped.schemes)
    size = largest * (_BYTES_PER_VALUE + _BYTES_PER_CYCLE * cycles)
    number = int(backend.memory * VALUES_SHARE) // size
    return number // _STEP * _STEP or max(number, 1)


def _check(
    graph: Graph,
    batch: tuple[torch.Tensor, ...],
    batch_size: int,
    modes: Mapping[str, Mode],
    hooks: Mapping[str, Hook],
    stop_at: str | None,
) -> None:
    if batch_size < 1:
        raise ConfigError(f"need batch_size >= 1, got {batch_size}")
    if any(part.dim() == 0 for part in batch):
        raise DataError("inputs need an axis of samples in front, got a single number; use .reshape(1)")
    if len({len(part) for part in batch}) > 1:
        raise DataError(f"inputs need the same number of samples, got {[len(part) for part in batch]}")
    _check_static_batch(graph.inputs, batch, batch_size)
    for piece in _pieces(graph.inputs, batch, batch_size):
        check_inputs(graph, piece)
    for name in hooks:
        if modes.get(name) != "chip":
            raise RunError(f"hooks: no layer {name!r} runs on the chip; {did_you_mean(name, list(modes))}")
    if stop_at is not None:
        find_node(graph, stop_at)


def _pieces(
    wanted: Sequence[Input], batch: tuple[torch.Tensor, ...], batch_size: int
) -> list[tuple[torch.Tensor, ...]]:
    """The inputs as the model takes them: as a whole, unless it fixes its batch."""
    if all(not node.shape or node.shape[0] is None for node in wanted):
        return [batch]
    starts = range(0, len(batch[0]), batch_size)
    return [tuple(part[start : start + batch_size] for part in batch) for start in starts]


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
