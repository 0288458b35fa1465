"""ONNX files as modules: read, checked and folded once, then run by torch functions."""

from crossloom.graph.onnx.examples import example_inputs
from crossloom.graph.onnx.importing import import_onnx
from crossloom.graph.onnx.loading import load_onnx
from crossloom.graph.onnx.module import OnnxModule
from crossloom.graph.onnx.steps import OnnxInput
from crossloom.graph.onnx.support import SUPPORTED_OPERATIONS

__all__ = ["SUPPORTED_OPERATIONS", "OnnxInput", "OnnxModule", "example_inputs", "import_onnx", "load_onnx"]
