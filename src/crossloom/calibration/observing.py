"""Which input vectors meet each layer: found by the integer interpreter, without any chip."""

from collections.abc import Mapping

import torch

from crossloom.graph import Interpreter, Matrix, at_once, check_inputs
from crossloom.hardware import DenseCodes, WindowedCodes
from crossloom.mapping import MappedGraph
from crossloom.quant import integer_matrix
from crossloom.seeds import derive_generator


def observe(
    mapped: MappedGraph, batch: tuple[torch.Tensor, ...], num_vectors: int, seed: int = 0
) -> Mapping[str, DenseCodes]:
    """At most `num_vectors` input vectors [vector, input] of every mapped layer, for a batch of inputs.

    Drawn without replacement: a regular stride would meet a convolution at the same few columns of its image.
    Raises DataError when the batch does not fit the graph.
    """
    quantized = mapped.quantized
    check_inputs(quantized.graph, batch)
    seen: dict[str, DenseCodes] = {}
    run = integer_matrix(quantized)

    def watch(node: Matrix, values: torch.Tensor) -> torch.Tensor:
        if node.name in mapped.schemes:
            generator = derive_generator(seed, "calibration", node.name)
            codes = quantized.layers[node.name].quantize_input(values)
            seen[node.name] = draw_vectors(node, codes, num_vectors, generator)
        return run(node, values)

    size = fixed_batch(mapped)
    step = size or len(batch[0])
    with torch.no_grad():
        interpreter = Interpreter(quantized.graph, watch, at_once(run))
        interpreter(tuple(part[:step] for part in batch))
    return seen


def fixed_batch(mapped: MappedGraph) -> int | None:
    """How many samples the model takes at a time, when it fixes that."""
    shapes = [node.shape for node in mapped.quantized.graph.inputs]
    return next((shape[0] for shape in shapes if shape and shape[0] is not None), None)


def draw_vectors(
    node: Matrix, codes: torch.Tensor, num_vectors: int, generator: torch.Generator
) -> DenseCodes:
    """At most `num_vectors` input vectors of a layer whose quantised input is `codes`, without replacement."""
    if node.window is None:
        flat = codes.flatten(0, -2)
        vectors = flat[_choose(len(flat), num_vectors, generator).to(flat.device)]
    else:
        vectors = _draw_windows(WindowedCodes(codes, len(codes), node.window), num_vectors, generator)
    return DenseCodes(vectors, len(vectors))


def _draw_windows(codes: WindowedCodes, num_vectors: int, generator: torch.Generator) -> torch.Tensor:
    """Windows of all images, laid out image by image, so that never more than one is."""
    num_images = len(codes.values)
    chosen = _choose(codes.num_vectors, num_vectors, generator)
    positions = codes.num_vectors // num_images
    drawn = []
    for image in chosen.div(positions, rounding_mode="floor").unique().tolist():
        one = WindowedCodes(codes.values[image : image + 1], 1, codes.window)
        inside = (
            chosen[(chosen >= image * positions) & (chosen < (image + 1) * positions)] - image * positions
        )
        drawn.append(one.dense().values[0].flatten(1).T[inside.to(codes.values.device)])
    return torch.cat(drawn)


def _choose(number: int, wanted: int, generator: torch.Generator) -> torch.Tensor:
    """Sorted numbers below `number`: all, or `wanted` of them."""
    if number <= wanted:
        return torch.arange(number)
    return torch.randperm(number, generator=generator)[:wanted].sort().values
