"""An ONNX file as plain data (nodes and constants), and as steps that a module runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

Constants = Mapping[str, torch.Tensor]


@dataclass(frozen=True)
class OnnxInput:
    """One input of the file. `shape` has a name or None where an axis is dynamic, and may be undeclared."""

    name: str
    shape: tuple[int | str | None, ...] | None
    dtype: torch.dtype


@dataclass(frozen=True)
class OnnxNode:
    """One node of the file. `layer` is the path of the PyTorch module it came from, if the file tells."""

    operation: str
    domain: str
    name: str
    layer: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    opset: int

    @property
    def title(self) -> str:
        """The node for people: what it does, its name, its opset."""
        domain = f"{self.domain}." if self.domain not in ("", "ai.onnx") else ""
        return f"{domain}{self.operation} (node {self.name!r}, opset {self.opset})"


@dataclass(frozen=True)
class OnnxFile:
    """A file that was checked, inlined and folded.

    `constants` holds every value that does not depend on inputs. `origins` gives, for a constant that is an
    initialiser or only moves one's elements, the initialiser's name; other constants are results of folding.
    """

    name: str
    opset: int
    inputs: tuple[OnnxInput, ...]
    outputs: tuple[str, ...]
    nodes: tuple[OnnxNode, ...]
    constants: Constants = field(repr=False)
    origins: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True)
class Value:
    """An operand: the result of an earlier step, or an input."""

    name: str


@dataclass(frozen=True)
class Stored:
    """An operand: a parameter or buffer of the module."""

    name: str


@dataclass(frozen=True, eq=False)
class Fixed:
    """An operand known at load: a plain number, or an array of sizes, axes or scales."""

    value: int | float | bool | np.ndarray


Operand = Value | Stored | Fixed | None


@dataclass(frozen=True)
class Step:
    """One node with its operands resolved. `on_sizes` tells arithmetic on sizes from work on tensors."""

    operation: str
    layer: str
    operands: tuple[Operand, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    opset: int
    on_sizes: bool = False

    def attribute(self, name: str, default: Any = None) -> Any:
        """The attribute of this name, or the default that the ONNX specification gives it."""
        return self.attributes.get(name, default)
