"""What of a model is analog, in words."""

from collections.abc import Iterator

from torch import nn
from torch.nn.modules.conv import _ConvTransposeNd as _Transposed

from crossloom.circuits import cycle_weights
from crossloom.mapping import cut_matrix
from crossloom.training.analog import AnalogMatrix
from crossloom.training.finding import find_analog
from crossloom.training.kinds import PLAIN_KINDS, is_analog, is_convertible
from crossloom.training.plan import LayerPlan

_TITLES = (
    "matrix",
    "of",
    "inputs x outputs",
    "tiles",
    "bits w/x/adc",
    "input",
    "step w",
    "step x",
    "step adc",
    "time n",
)
_UNKNOWN = "-"


def analog_summary(model: nn.Module) -> str:
    """What `convert_to_analog` made of a model: a line for every matrix, then effects, then what stays digital.

    Tiles: rows x columns of them, times groups and copies. Bits: of weights, inputs, and converters. Steps of the
    weights (their mean), of the inputs and of the converter, in units of the layer; n is the readout's register. Those
    that no batch has set yet are "-". Raises ConfigError for a model without analog layers.
    """
    matrices = dict(_matrices(model))
    lines = _columns([_TITLES, *(_line(name, kind, matrix) for name, (kind, matrix) in matrices.items())])
    num_analog = sum(matrix.plan.shape.num_weights for _, matrix in matrices.values())
    num_steps = sum(part.numel() for _, matrix in matrices.values() for part in matrix.parameters())
    total = sum(parameter.numel() for parameter in model.parameters()) - num_steps
    count = f"{len(matrices)} matrices" if len(matrices) > 1 else "1 matrix"
    share = f"analog: {count}, {num_analog:,} of {total:,} parameters ({num_analog / total:.1%})"
    return "\n".join([*lines, "", share, *_effects(matrices), *_digital(model)])


def _matrices(model: nn.Module) -> Iterator[tuple[str, tuple[str, AnalogMatrix]]]:
    """By a name that people know it by, the kind of layer that every matrix belongs to, and the matrix."""
    seen: set[int] = set()
    for name, layer in find_analog(model).items():
        for path, matrix in layer.named_modules():
            if isinstance(matrix, AnalogMatrix) and id(matrix) not in seen:
                seen.add(id(matrix))
                part = path.removesuffix(".matrix").removeprefix("matrix").removeprefix("_")
                yield ".".join(filter(None, (name, part))) or "(model)", (type(layer).__name__, matrix)


def _line(name: str, kind: str, matrix: AnalogMatrix) -> tuple[str, ...]:
    plan = matrix.plan
    steps = [_UNKNOWN] * 4
    if not matrix.is_ready.is_meta and matrix.is_ready:
        weight_step, input_step, output_step = (matrix.steps()[number] for number in (1, 0, 2))
        steps[:2] = f"{weight_step.mean().item():.3g}", f"{input_step.item():.3g}"  # type: ignore[union-attr]
        if output_step is not None:
            time = plan.integration_time(input_step, weight_step, output_step)  # type: ignore[arg-type]
            steps[2:] = f"{output_step.item():.3g}", f"{time.item():.3g}"
    shape = f"{plan.shape.inputs_per_group} x {plan.shape.num_outputs}"
    return (
        name,
        kind,
        shape + _groups(plan),
        _tiles(plan),
        _bits(plan),
        _input(plan),
        *steps,
    )


def _groups(plan: LayerPlan) -> str:
    return f" in {plan.shape.groups} groups" if plan.shape.groups > 1 else ""


def _tiles(plan: LayerPlan) -> str:
    """Rows x columns of tiles of one group or of those that share a tile, times how many of these there are."""
    shape, scheme = plan.shape, plan.scheme
    num_inputs = shape.inputs_per_group * shape.groups
    blocks = cut_matrix(
        plan.name, num_inputs, shape.num_outputs, shape.groups, shape.window_size, scheme, plan.macro
    )
    rows = sum(block.output_start == blocks[0].output_start for block in blocks)
    columns = sum(block.input_start == blocks[0].input_start for block in blocks)
    together = f"{rows} x {columns}"
    times = [len(blocks) // (rows * columns), scheme.copies]
    return together + "".join(f" x {number}" for number in times if number > 1)


def _bits(plan: LayerPlan) -> str:
    weight = "1" if plan.is_binary else str(plan.scheme.weight_bits)
    sign = "" if plan.activations_are_signed else "u"
    readout = plan.macro.readout
    return f"{weight}/{sign}{plan.activation_bits}/{'ideal' if readout.code_range is None else readout.bits}"


def _input(plan: LayerPlan) -> str:
    num_cycles = len(cycle_weights(plan.inputs, plan.macro.dac))
    return f"{plan.scheme.input_mode.kind}, {num_cycles} cycle{'s' if num_cycles > 1 else ''}"


def _effects(matrices: dict[str, tuple[str, AnalogMatrix]]) -> Iterator[str]:
    """What goes wrong while training, one line each; of all matrices, since one configuration made them."""
    effects = dict.fromkeys(effect for _, matrix in matrices.values() for effect in matrix.effects)
    if not effects:
        yield "effects while training: none"
        return
    yield "effects while training:"
    for effect in effects:
        chosen = effect.model_dump(exclude_defaults=True, exclude={"kind"})
        kind = effect.kind  # type: ignore[attr-defined]
        yield f"  {kind}({', '.join(f'{name}={value}' for name, value in chosen.items())})"


def _digital(model: nn.Module) -> Iterator[str]:
    """Modules that hold parameters and stay digital, one line each."""
    inside = {id(part) for module in model.modules() if is_analog(module) for part in module.modules()}
    left = [
        (name or "(model)", module, sum(parameter.numel() for parameter in module.parameters(recurse=False)))
        for name, module in model.named_modules()
        if id(module) not in inside
    ]
    lines = [
        (f"  {name}", type(module).__name__, f"{number:,} parameters", _reason(module))
        for name, module, number in left
        if number
    ]
    if lines:
        yield "digital:"
        yield from _columns(lines)


def _reason(module: nn.Module) -> str:
    if is_convertible(module):
        return "left digital"
    if isinstance(module, _Transposed):
        return "transposed convolutions run on the digital unit"
    for kind in PLAIN_KINDS:
        if isinstance(module, kind):
            return f"a subclass of {kind.__name__}, which may compute something else"
    return ""


def _columns(rows: list[tuple[str, ...]]) -> list[str]:
    """Lines whose columns stand below one another."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
