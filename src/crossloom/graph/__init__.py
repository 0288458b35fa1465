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
from crossloom.graph.fusion import FoldBatchNorm, FuseActivation, FuseBias
from crossloom.graph.interpreter import Interpreter, find_node, interpret
from crossloom.graph.matrix import ACTIVATIONS, MatrixFunction, activate, float_matrix, multiply
from crossloom.graph.nodes import Digital, Graph, Input, Matrix, Node, NodeRef, TensorRef, TorchConstant
from crossloom.graph.operations import resolve_operation
from crossloom.graph.passes import SIMPLIFICATIONS, Pass, RemoveDead, RemoveIdentities, simplify
from crossloom.graph.shapes import measure_shapes

__all__ = [
    "ACTIVATIONS",
    "SIMPLIFICATIONS",
    "Digital",
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
    "Pass",
    "RemoveDead",
    "RemoveIdentities",
    "TensorRef",
    "TorchConstant",
    "activate",
    "check_inputs",
    "find_node",
    "float_matrix",
    "interpret",
    "measure_shapes",
    "multiply",
    "resolve_operation",
    "simplify",
    "trace",
]
