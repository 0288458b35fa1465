"""The stage: a graph and calibration data become a quantised graph."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import torch

from crossloom.artefacts import Artefact, saved
from crossloom.errors import DataError, GraphError
from crossloom.graph import Graph, Interpreter, Matrix, check_inputs, float_matrix
from crossloom.quant.bias_correction import correct_biases
from crossloom.quant.config import QuantConfig, resolve_quant
from crossloom.quant.equalisation import equalize
from crossloom.quant.layer import QuantizedLayer, code_range
from crossloom.quant.learned import Learned, LearnedLayer, check_learned, recovered_step
from crossloom.quant.ranges import find_steps
from crossloom.spec import PrecisionSpec

_SAMPLES_PER_BATCH = 2**14
_DEFAULT_BITS = 8


@saved
@dataclass(frozen=True)
class QuantizedGraph(Artefact):
    """A graph whose matrix operations are integer: `layers` by the name of their node."""

    graph: Graph
    layers: Mapping[str, QuantizedLayer] = field(repr=False)
    config: QuantConfig

    def summary(self) -> str:
        """What was quantised, and how finely."""
        kinds = sorted({(layer.weight_bits, layer.input_bits) for layer in self.layers.values()})
        widths = ", ".join(f"{weight}-bit weights and {inputs}-bit inputs" for weight, inputs in kinds)
        return f"QuantizedGraph: {len(self.layers)} matrix operations, {widths or 'none to quantise'}"


def quantize(
    graph: Graph,
    config: QuantConfig,
    data: Iterable[tuple[torch.Tensor, ...]],
    learned: Learned | None = None,
    precision: PrecisionSpec | None = None,
) -> QuantizedGraph:
    """Find the steps of all weights and inputs, the latter on calibration batches (tuples of inputs).

    learned: layers that were trained with quantisation keep their integers, steps, bits and signs.
    precision: what the others take where `config` leaves it open.

    Raises DataError when there are no batches, they do not fit the graph, values are not finite, or weights are not
    what was learned; GraphError when weights are not finite, or there are none; ConfigError when what was learned
    contradicts `config`, or belongs to no layer.
    """
    learned = learned or {}
    check_learned(config, learned, [node.name for node in graph.matrices])
    config.check_layers(node.name for node in graph.matrices)
    config = config if precision is None else resolve_quant(config, precision)
    for node in graph.matrices:
        _check_weight(graph, node)
    graph = equalize(graph) if config.equalize else graph
    batches = list(data) if config.correct_bias else data
    seen = _observe(graph, batches)
    layers = {
        node.name: _quantize_layer(
            graph, node, config.for_layer(node.name), seen[node.name], learned.get(node.name)
        )
        for node in graph.matrices
    }
    if config.correct_bias:
        layers = correct_biases(graph, layers, batches)
    return QuantizedGraph(graph, layers, config)


def _check_weight(graph: Graph, node: Matrix) -> None:
    for name in (node.weight, node.bias):
        tensor = None if name is None else graph.tensors[name]
        if tensor is not None and not tensor.numel():
            raise GraphError(
                f"{node.name}: tensor {name!r} is empty, {list(tensor.shape)}; remove this layer"
            )
        if tensor is not None and not tensor.isfinite().all():
            raise GraphError(
                f"{node.name}: tensor {name!r} holds NaN or infinite values; train or load it again"
            )


def _observe(graph: Graph, data: Iterable[tuple[torch.Tensor, ...]]) -> dict[str, torch.Tensor]:
    """A sample of the values that enter every matrix operation."""
    seen: dict[str, list[torch.Tensor]] = {node.name: [] for node in graph.matrices}
    kept: dict[str, list[torch.Tensor]] = {name: [] for name in seen}

    def watch(node: Matrix, values: torch.Tensor) -> torch.Tensor:
        flat = values.detach().float().flatten()
        seen[node.name].append(_thin(flat))
        return run(node, values)

    run = float_matrix(graph)
    interpreter, num_batches = Interpreter(graph, watch), 0
    with torch.no_grad():
        for batch in data:
            check_inputs(graph, batch)
            interpreter(batch)
            for name, parts in seen.items():
                # What states were at every step counts as one batch.
                kept[name].append(_thin(torch.cat(parts)) if len(parts) > 1 else parts[0])
                parts.clear()
            num_batches += 1
    if not num_batches:
        raise DataError("calibration data are empty; give at least one batch of inputs")
    return {name: torch.cat(parts) for name, parts in kept.items()}


def _thin(flat: torch.Tensor) -> torch.Tensor:
    """Evenly spread samples, and the extremes."""
    stride = -(-flat.numel() // _SAMPLES_PER_BATCH)
    return torch.cat([flat[::stride], torch.stack(torch.aminmax(flat))])


def _quantize_layer(
    graph: Graph,
    node: Matrix,
    config: QuantConfig,
    seen: torch.Tensor,
    found: tuple[LearnedLayer, torch.Tensor] | None,
) -> QuantizedLayer:
    if not seen.isfinite().all():
        raise DataError(
            f"{node.name}: calibration data make NaN or infinite values at its input; check data and model"
        )
    weight = graph.tensors[node.weight].detach()
    if found is None:
        weight_bits = config.weight_bits or _DEFAULT_BITS
        weight_codes, weight_step = _quantize_weight(weight.float(), weight_bits, config)
        step, input_bits, is_signed = _find_input(config, seen)
        knows_converter = False
    else:
        learned, weight_codes = found
        weight_bits, weight_step = learned.weight_bits, recovered_step(node.name, weight, *found)
        step, input_bits, is_signed = learned.input_step, learned.input_bits, learned.input_is_signed
        knows_converter = learned.output_step is not None or learned.integration_time is not None
    codes = (seen / step).round_().clamp_(*code_range(input_bits, is_signed))
    return QuantizedLayer(
        name=node.name,
        weight=weight_codes,
        weight_step=weight_step,
        bias=None if node.bias is None else graph.tensors[node.bias].detach().float(),
        weight_bits=max(weight_bits, 2),
        input_step=step,
        input_bits=input_bits,
        input_is_signed=is_signed,
        input_power=codes.square().mean().item(),
        knows_converter=knows_converter,
    )


def _find_input(config: QuantConfig, seen: torch.Tensor) -> tuple[float, int, bool]:
    """Step, bits and sign of the quantiser of inputs of which some were seen."""
    bits = config.activation_bits or _DEFAULT_BITS
    is_signed = config.activations_are_signed
    is_signed = bool((seen < 0).any()) if is_signed is None else is_signed
    codes = code_range(bits, is_signed)
    step = find_steps(seen.unsqueeze(0), codes, config.activation_range, config.percentile)
    return step.item(), bits, is_signed


def _quantize_weight(
    weight: torch.Tensor, bits: int, config: QuantConfig
) -> tuple[torch.Tensor, torch.Tensor]:
    rows = weight.flatten(1) if config.per_channel else weight.reshape(1, -1)
    if bits == 1:
        # Of least square error: signs, and the mean magnitude (Rastegari et al. 2016, XNOR-Net, equation 6).
        codes = torch.where(weight < 0, -1, 1)
        steps = rows.abs().mean(1).double().clamp(min=torch.finfo(torch.float32).tiny)
        return codes.to(torch.int16), steps.expand(len(weight)).contiguous()
    top = code_range(bits, True)
    steps = find_steps(rows, top, config.weight_range, config.percentile).double()
    steps = steps.expand(len(weight)).contiguous()
    shaped = steps.view(-1, *[1] * (weight.dim() - 1))
    return (weight / shaped).round().clamp(*top).to(torch.int16), steps
