"""Layers whose weights lie in cells: modules whose products come from chips, and whose errors become pulses."""

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from crossloom.hardware import Draw
from crossloom.seeds import mix_seed
from crossloom.training.on_chip.array import LearningArray
from crossloom.training.on_chip.products import ChipProducts
from crossloom.training.on_chip.rules import Learner


class Shape(ABC):
    """How a layer's inputs become vectors for its matrix, and products become its outputs."""

    @abstractmethod
    def vectors(self, inputs: torch.Tensor) -> torch.Tensor:
        """[vector, input] of a layer's inputs."""

    @abstractmethod
    def outputs(self, products: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
        """A layer's outputs from products [vector, output], given its inputs."""


class LinearShape(Shape):
    """A linear layer: inputs [..., input]."""

    def vectors(self, inputs: torch.Tensor) -> torch.Tensor:
        return inputs.reshape(-1, inputs.shape[-1])

    def outputs(self, products: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
        return products.view(*inputs.shape[:-1], -1)


class PatchShape(Shape):
    """A two-dimensional convolution by patches: inputs [sample, channel, row, column]."""

    def __init__(self, layer: nn.Conv2d) -> None:
        self._window: dict[str, Any] = {
            "kernel_size": layer.kernel_size,
            "dilation": layer.dilation,
            "padding": layer.padding,
            "stride": layer.stride,
        }

    def vectors(self, inputs: torch.Tensor) -> torch.Tensor:
        return functional.unfold(inputs, **self._window).transpose(1, 2).flatten(0, 1)

    def outputs(self, products: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
        by_sample = products.unflatten(0, (len(inputs), -1)).transpose(1, 2)
        window = self._window
        sizes = [
            (length + 2 * pad - dilation * (kernel - 1) - 1) // stride + 1
            for length, kernel, dilation, pad, stride in zip(inputs.shape[2:], *window.values(), strict=True)
        ]
        return by_sample.unflatten(2, sizes)


class OnChipLayer(nn.Module):
    """A linear layer or convolution in cells.

    weight: a parameter that holds what was last read back, [output, input]; it is never written to cells.
    bias: digital.
    """

    def __init__(
        self, name: str, shape: Shape, bias: torch.Tensor | None, array: LearningArray, products: ChipProducts
    ) -> None:
        super().__init__()
        self.name, self.array, self._shape, self._products = name, array, shape, products
        self.weight = nn.Parameter(torch.zeros(array.shape))
        self.bias = None if bias is None else nn.Parameter(bias.detach().clone(), requires_grad=False)
        self.learner: Learner | None = None
        self.is_by_chip, self.draw_seed, self._num_products = True, 0, 0
        self._met: list[tuple[torch.Tensor, torch.Tensor]] = []

    @property
    def num_mvms(self) -> int:
        """Products of a vector with a tile, so far."""
        return self._products.num_mvms

    def read_back(self) -> None:
        """Measure the weights."""
        with torch.no_grad():
            self.weight.copy_(self.array.read())

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        products = _Product.apply(self._shape.vectors(inputs), self.weight, self)
        assert isinstance(products, torch.Tensor)
        products = products if self.bias is None else products + self.bias
        return self._shape.outputs(products, inputs)

    def multiply(self, vectors: torch.Tensor) -> torch.Tensor:
        """Products [vector, output] of vectors [vector, input]: by the chip, or with what was read back."""
        if not self.is_by_chip:
            return vectors @ self.weight.T
        if self.training:
            self._products.observe(vectors)
        self._num_products += 1
        return self._products(vectors, Draw(mix_seed(self.draw_seed, self._num_products)))

    def note(self, vectors: torch.Tensor, errors: torch.Tensor) -> None:
        """What a batch's gradient is made of: vectors [vector, input], errors [vector, output]."""
        self._met.append((vectors, errors))

    def learn(self) -> None:
        """Turn what was noted since the last time into pulses."""
        assert self.learner is not None
        met, self._met = self._met, []
        if met:
            inputs, errors = (torch.cat(parts) for parts in zip(*met, strict=True))
            self.learner.update(inputs, errors)


class _Product(torch.autograd.Function):
    """A product by whatever multiplies; backward by the weights that were read back."""

    @staticmethod
    def forward(ctx: Any, vectors: torch.Tensor, weight: torch.Tensor, layer: OnChipLayer) -> torch.Tensor:
        ctx.save_for_backward(vectors, weight)
        ctx.layer = layer
        return layer.multiply(vectors)

    @staticmethod
    def backward(ctx: Any, *errors: torch.Tensor) -> Any:
        vectors, weight = ctx.saved_tensors
        ctx.layer.note(vectors, errors[0])
        return errors[0] @ weight if ctx.needs_input_grad[0] else None, None, None
