"""Models as graphs: capture, passes, and the float interpreter that gives a graph its meaning.

>>> import torch
>>> from crossloom.graph import interpret, simplify, trace
>>> model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU())
>>> graph = simplify(trace(model, torch.randn(2, 4)))
>>> [(node.name, node.activation) for node in graph.matrices]
[('0', 'relu')]
>>> x = torch.randn(5, 4)
>>> torch.equal(interpret(graph, (x,))[0], model(x))
True
"""

from crossloom.graph.capture import trace
from crossloom.graph.checks import check_inputs
from crossloom.graph.codes import FROM_CODES
from crossloom.graph.dynamic import Dynamic
from crossloom.graph.embeddings import OneHotEmbeddings
from crossloom.graph.fusion import FoldBatchNorm, FuseActivation, FuseBias
from crossloom.graph.interpreter import Interpreter, find_node, interpret
from crossloom.graph.matrix import ACTIVATIONS, MatrixFunction, activate, float_matrix, multiply
from crossloom.graph.nodes import (
    Digital,
    Graph,
    Input,
    Matrix,
    Node,
    NodeRef,
    Recurrence,
    TensorRef,
    TorchConstant,
    matrices_of,
)
from crossloom.graph.operations import REFUSED, resolve_operation
from crossloom.graph.passes import SIMPLIFICATIONS, Pass, RemoveDead, RemoveIdentities, simplify
from crossloom.graph.products import lowered_operations
from crossloom.graph.recurrent import at_once, run_recurrence
from crossloom.graph.references import node_references
from crossloom.graph.shapes import measure_shapes
from crossloom.graph.shuffles import PassShuffles

__all__ = [
    "ACTIVATIONS",
    "FROM_CODES",
    "REFUSED",
    "SIMPLIFICATIONS",
    "Digital",
    "Dynamic",
    "FoldBatchNorm",
    "FuseActivation",
    "FuseBias",
    "Graph",
    "Input",
    "Interpreter",
    "Matrix",
    "MatrixFunction",
    "Node",
    "NodeRef",
    "OneHotEmbeddings",
    "Pass",
    "PassShuffles",
    "Recurrence",
    "RemoveDead",
    "RemoveIdentities",
    "TensorRef",
    "TorchConstant",
    "activate",
    "at_once",
    "check_inputs",
    "find_node",
    "float_matrix",
    "interpret",
    "lowered_operations",
    "matrices_of",
    "measure_shapes",
    "multiply",
    "node_references",
    "resolve_operation",
    "run_recurrence",
    "simplify",
    "trace",
]
