"""ONNX operations as torch functions, one file per kind; importing this fills the registry."""

from crossloom.graph.onnx.operations import (
    activations,
    comparisons,
    convolutions,
    creation,
    elementwise,
    normalisations,
    padding,
    pooling,
    products,
    quantised,
    recurrent,
    recurrent_weights,
    reductions,
    resizing,
    selection,
    shapes,
)

__all__ = [
    "activations",
    "comparisons",
    "convolutions",
    "creation",
    "elementwise",
    "normalisations",
    "padding",
    "pooling",
    "products",
    "quantised",
    "recurrent",
    "recurrent_weights",
    "reductions",
    "resizing",
    "selection",
    "shapes",
]
