"""Integration times from calibration data, before any chip: the least error of conversion, tile by tile.

Ideal cells are assumed. What a real chip's errors make of it is for tuning on that chip.
"""

from collections.abc import Iterable

import torch

from crossloom.circuits import convert, effective_array, expand, product
from crossloom.errors import DataError
from crossloom.graph import Interpreter, Matrix, check_inputs
from crossloom.hardware import Codes, DenseCodes, InputFormat, WindowedCodes, Wiring
from crossloom.mapping import MappedGraph, Tile, legal_integration_time
from crossloom.progress import track
from crossloom.quant import integer_matrix

_MAX_SAMPLES = 16
_MAX_VECTORS = 256
_NUM_CANDIDATES = 48


def choose_integration_times(mapped: MappedGraph, data: Iterable[tuple[torch.Tensor, ...]]) -> MappedGraph:
    """The same tiles, each with the integration time that converts its sums with the least square error.

    `data` are calibration batches (tuples of inputs); the first suffices. Times that the configuration names
    stay as they are, and so does everything where converters are ideal.
    """
    if mapped.macro.readout.code_range is None:
        return mapped
    codes = _observe(mapped, data)
    times: dict[int, float] = {}
    for layer, numbers in track(mapped.tiles_of.items(), "choosing integration times", len(mapped.tiles_of)):
        if mapped.config.for_layer(layer).integration_time is not None:
            continue
        known: dict[tuple[int, ...], float] = {}
        for number in numbers:
            tile = mapped.tiles[number]
            if tile.block not in known:
                known[tile.block] = _best_time(mapped, tile, codes[layer])
            times[number] = known[tile.block]
    return mapped.with_integration_times(times)


def _observe(mapped: MappedGraph, data: Iterable[tuple[torch.Tensor, ...]]) -> dict[str, DenseCodes]:
    """A sample of the input vectors of every layer, [vector, input]."""
    seen: dict[str, DenseCodes] = {}
    run = integer_matrix(mapped.quantized)

    def watch(node: Matrix, values: torch.Tensor) -> torch.Tensor:
        codes = mapped.quantized.layers[node.name].quantize_input(values)
        seen[node.name] = _thin(node, codes)
        return run(node, values)

    batch = next(iter(data), None)
    if batch is None:
        raise DataError("calibration data are empty; give at least one batch of inputs")
    check_inputs(mapped.quantized.graph, batch)
    fixed = any(node.shape and node.shape[0] is not None for node in mapped.quantized.graph.inputs)
    with torch.no_grad():
        sample = batch if fixed else tuple(part[:_MAX_SAMPLES] for part in batch)
        Interpreter(mapped.quantized.graph, watch)(sample)
    return seen


def _thin(node: Matrix, codes: torch.Tensor) -> DenseCodes:
    if node.window is None:
        vectors = codes.flatten(0, -2)
    else:
        vectors = (
            WindowedCodes(codes, len(codes), node.window)
            .dense()
            .values.flatten(2)
            .transpose(1, 2)
            .flatten(0, 1)
        )
    vectors = vectors[:: -(-len(vectors) // _MAX_VECTORS)]
    return DenseCodes(vectors, len(vectors))


def _best_time(mapped: MappedGraph, tile: Tile, codes: Codes) -> float:
    """The integration time of least square error of the decoded sums."""
    macro, scheme = mapped.macro, mapped.schemes[tile.layer]
    layer = mapped.quantized.layers[tile.layer]
    wiring = Wiring(scheme.pairing, scheme.row_copies)
    array = effective_array(mapped.targets(tile), None, wiring, scheme.level_step)
    inputs = InputFormat(scheme.input_mode, layer.input_bits, layer.input_is_signed)
    cycles = expand(codes.part(tile.input_start, tile.input_stop), inputs, macro.dac)
    sums = product(cycles.codes, array.matrix.T.to(torch.float32).contiguous())
    weights = cycles.weights.view(1, -1, 1)

    def decoded(converted: torch.Tensor) -> torch.Tensor:
        return scheme.decode((converted.unflatten(0, (-1, cycles.num_cycles)) * weights).sum(1))

    exact = decoded(sums)

    def error(time: float) -> float:
        gain = macro.gain(time, scheme.level_step)
        answered = decoded(convert(sums * gain, macro.readout.code_range) / gain)
        return (answered - exact).square().sum().item()

    return min(_candidates(mapped, tile, sums), key=error)


def _candidates(mapped: MappedGraph, tile: Tile, sums: torch.Tensor) -> list[float]:
    """Legal times from "nothing clips" to "most clips", and the one with a code per unit of the sum."""
    macro, code_range = mapped.macro, mapped.macro.readout.code_range
    assert code_range is not None
    unit = macro.gain(1.0, mapped.schemes[tile.layer].level_step)
    widest = code_range[1] / max(sums.abs().max().item(), 1.0) / unit
    if macro.readout.max_time is None:
        widest = min(widest, 1.0)
        steps = torch.logspace(0, 1.5, _NUM_CANDIDATES).tolist()
        return [1.0, *(min(widest * step, 1.0) for step in steps)]
    steps = torch.logspace(0, 1.5, _NUM_CANDIDATES).tolist()
    return sorted({legal_integration_time(widest * step, macro) for step in steps})
