"""Statistics of channels: what re-estimating batch norms on the chips comes to, once they are folded.

A batch norm sees to it that channel c has mean β and deviation γ. Folded into its matrix it can no longer be
re-estimated, but the same is had from the outputs y of the chips, before the activation, and those f of the float
network on the same samples:

    y' = α y + (mean f − α mean y),   α = deviation f / deviation y,

one affine for every channel, that goes into the layer's steps and bias. Layers are visited in order, each with the
inputs that the corrected layers before it give. Samples held out then judge each layer's affine.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch

from crossloom.calibration.plan import CalibrationPlan
from crossloom.calibration.propagation import Arrival, propagate
from crossloom.graph import Interpreter, Matrix, activate, at_once, float_matrix, multiply
from crossloom.programming import LayerCorrection

Outputs = dict[str, torch.Tensor]


@dataclass(frozen=True)
class ChannelFit:
    """One layer: its correction with statistics of channels, and the error against float before and after (NMSE)."""

    correction: LayerCorrection
    before: float
    after: float


def fit_channels(
    plan: CalibrationPlan, corrections: Mapping[str, LayerCorrection]
) -> Mapping[str, ChannelFit]:
    """An affine for every layer on the chips, and what it does to samples held out."""
    proposed = dict(corrections)
    wanted = _float_outputs(plan, plan.fit)

    def propose(node: Matrix, answered: torch.Tensor) -> LayerCorrection:
        proposed[node.name] = _affine(plan, node, corrections[node.name], answered, wanted[node.name])
        return proposed[node.name]

    _sweep(plan, plan.fit, corrections, propose)
    return _judge(plan, corrections, proposed)


def _judge(
    plan: CalibrationPlan, before: Mapping[str, LayerCorrection], after: Mapping[str, LayerCorrection]
) -> Mapping[str, ChannelFit]:
    wanted, fits = _float_outputs(plan, plan.held_out), dict[str, ChannelFit]()

    def judge(node: Matrix, answered: torch.Tensor) -> LayerCorrection:
        old, new = before[node.name], after[node.name]
        target = wanted[node.name]
        changed = _change(plan, node, old, new, answered)
        fits[node.name] = ChannelFit(new, _error(answered, target), _error(changed, target))
        return new if fits[node.name].after < fits[node.name].before else old

    _sweep(plan, plan.held_out, before, judge)
    return fits


def _sweep(
    plan: CalibrationPlan,
    samples: tuple[torch.Tensor, ...],
    corrections: Mapping[str, LayerCorrection],
    choose: Callable[[Matrix, torch.Tensor], LayerCorrection],
) -> None:
    """Run samples through the chips; `choose` sees every layer's outputs and says which correction they go on with."""

    def visit(arrival: Arrival) -> torch.Tensor:
        node, old = arrival.node, corrections[arrival.node.name]
        answered = arrival.answer(old)
        return _change(plan, node, old, choose(node, answered), answered)

    propagate(plan.chips, samples, corrections, visit, plan.config.seed)


def _change(
    plan: CalibrationPlan, node: Matrix, old: LayerCorrection, new: LayerCorrection, values: torch.Tensor
) -> torch.Tensor:
    """Values that the steps and bias of `old` gave, as those of `new` would have given them."""
    if new is old:
        return values
    layer = plan.chips.placement.mapped.quantized.layers[node.name]
    before, after = old.adjusted(layer), new.adjusted(layer)
    ratio = after.weight_step / before.weight_step
    factor = _along(torch.where(before.weight_step != 0, ratio, torch.ones_like(ratio)), node, values)
    start = 0.0 if before.bias is None else _along(before.bias, node, values)
    return (values - start) * factor + (0.0 if after.bias is None else _along(after.bias, node, values))


def _affine(
    plan: CalibrationPlan, node: Matrix, old: LayerCorrection, answered: torch.Tensor, wanted: torch.Tensor
) -> LayerCorrection:
    layer = plan.chips.placement.mapped.quantized.layers[node.name]
    mean, deviation = _statistics(answered, node)
    wanted_mean, wanted_deviation = _statistics(wanted, node)
    varies = (deviation > 0) & (wanted_deviation > 0)
    factor = torch.where(varies, wanted_deviation / deviation.clamp(min=1e-300), torch.ones_like(deviation))
    bias = old.adjusted(layer).bias
    start = torch.zeros_like(mean) if bias is None else bias.double()
    scale = factor if old.scale is None else factor * old.scale
    return replace(old, scale=scale, bias=(wanted_mean + factor * (start - mean)).float())


def _statistics(values: torch.Tensor, node: Matrix) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and deviation of every channel, float64 [out]."""
    rows = values.double().movedim(_axis(node), -1).flatten(0, -2).cpu()
    return rows.mean(0), rows.std(0, correction=0)


def _float_outputs(plan: CalibrationPlan, samples: tuple[torch.Tensor, ...]) -> Outputs:
    """What the float network has at every matrix operation, before the activation."""
    graph, outputs = plan.chips.placement.mapped.quantized.graph, Outputs()
    names = {layer.node.name for layer in plan.layers}
    plain = float_matrix(graph)

    def run(node: Matrix, values: torch.Tensor) -> torch.Tensor:
        if node.name not in names:
            return plain(node, values)
        bias = None if node.bias is None else graph.tensors[node.bias].to(values.device)
        outputs[node.name] = multiply(node, values, graph.tensors[node.weight].to(values.device), bias)
        return activate(node, outputs[node.name])

    with torch.no_grad():
        Interpreter(graph, run, at_once(plain))(samples)
    return outputs


def _error(answered: torch.Tensor, wanted: torch.Tensor) -> float:
    power = wanted.double().square().sum().item()
    return (answered.double() - wanted.double()).square().sum().item() / power if power else 0.0


def _axis(node: Matrix) -> int:
    return -1 if node.window is None else 1


def _along(values: torch.Tensor, node: Matrix, like: torch.Tensor) -> torch.Tensor:
    shape = [1] * like.dim()
    shape[_axis(node)] = -1
    return values.to(like).view(shape)
