"""Activity before anything has run: measured on given inputs, or expected of codes of a known power."""

from collections.abc import Mapping

import torch

from crossloom.cost.digital import is_rectified
from crossloom.graph import Interpreter, Matrix, check_inputs
from crossloom.hardware import Codes, DenseCodes, WindowedCodes
from crossloom.placement import Placement
from crossloom.progress import track
from crossloom.quant import QuantizedLayer, finish, integer_sums
from crossloom.runtime import ActivityMeter, LayerActivity, input_format

_BATCH = 64


def measured_activity(
    placement: Placement, inputs: tuple[torch.Tensor, ...]
) -> tuple[dict[str, LayerActivity], dict[str, int]]:
    """What the integer interpreter puts on the rows of every mapped layer, and how many vectors each meets.

    Raises DataError when inputs do not fit the model.
    """
    mapped = placement.mapped
    graph, dac = mapped.quantized.graph, placement.system.macro.dac
    meters = {name: ActivityMeter(input_format(placement, name), dac) for name in mapped.schemes}
    vectors = dict.fromkeys(mapped.schemes, 0)

    def multiply(node: Matrix, values: torch.Tensor) -> torch.Tensor:
        layer = mapped.quantized.layers[node.name]
        codes = layer.quantize_input(values)
        if node.name in meters:
            laid = _laid_out(node, codes)
            meters[node.name].add(laid)
            vectors[node.name] += laid.num_vectors
        return finish(node, layer, integer_sums(node, layer, codes)).to(values.dtype)

    interpreter = Interpreter(graph, multiply)
    fixed = graph.inputs[0].shape[0] if graph.inputs[0].shape else None
    size = fixed or _BATCH
    starts = range(0, len(inputs[0]), size)
    with torch.no_grad():
        for start in track(starts, "measuring activity", len(starts)):
            batch = tuple(part[start : start + size] for part in inputs)
            check_inputs(graph, batch)
            interpreter(batch)
    return {name: meter.activity() for name, meter in meters.items()}, vectors


def assumed_activity(placement: Placement, vectors: Mapping[str, int]) -> dict[str, LayerActivity]:
    """What is expected where no inputs are given: codes of a normal distribution (its positive half where codes have
    no sign, a rectified one after a rectifier) of the power that calibration data had, the same for all inputs;
    padding counts like anything else."""
    return {name: _assume(placement, name, vectors[name]) for name in placement.mapped.schemes}


def _assume(placement: Placement, name: str, num_vectors: int) -> LayerActivity:
    layer = placement.mapped.quantized.layers[name]
    dac = placement.system.macro.dac
    codes = torch.arange(layer.input_range[0], layer.input_range[1] + 1).float()
    each = ActivityMeter(input_format(placement, name), dac)
    each.add(DenseCodes(codes.unsqueeze(0), 1))
    graph = placement.mapped.quantized.graph
    node = next(node for node in graph.matrices if node.name == name)
    steps, shares = each.activity(), _code_shares(layer, codes, is_rectified(graph, node.source))
    rows = layer.weight[0].numel() * node.groups
    expected = ((shares * found).sum() * num_vectors for found in (steps.squares, steps.drives))
    return LayerActivity(*(value.expand(rows).clone() for value in expected))


def _code_shares(layer: QuantizedLayer, codes: torch.Tensor, rectified: bool) -> torch.Tensor:
    """How often each code is expected, float64; the highest and the lowest take all that is beyond them."""
    power = max(layer.input_power, 1e-12)
    spread = (2 * power if rectified else power) ** 0.5  # half of what is rectified is zero
    edges = (codes[:-1].double() + 0.5) / spread
    below = torch.special.ndtr(edges)
    if rectified:
        below = below * (codes[:-1] >= 0)
    elif not layer.input_is_signed:
        below = (2 * below - 1).clamp(min=0)
    ends = torch.cat([below.new_zeros(1), below, below.new_ones(1)])
    return ends.diff()


def _laid_out(node: Matrix, codes: torch.Tensor) -> Codes:
    if node.window is not None:
        return WindowedCodes(codes, len(codes), node.window)
    return DenseCodes(codes.reshape(-1, codes.shape[-1]), 1)
