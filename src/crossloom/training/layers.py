"""Layers that compute as macros do, with the parameters of the plain layers that they stand for."""

from typing import Any

import torch
from torch import nn
from torch.nn import functional

from crossloom.training.analog import AnalogMatrix
from crossloom.training.plan import LayerShape
from crossloom.windows import Window


class AnalogLinear(nn.Module):
    """A `torch.nn.Linear` on macros: parameters `weight` [out, in] and `bias` [out] or None, values [..., in]."""

    def __init__(self, plain: nn.Linear, matrix: AnalogMatrix) -> None:
        super().__init__()
        self.in_features, self.out_features = plain.in_features, plain.out_features
        self.weight, self.bias = plain.weight, plain.bias
        self.matrix = matrix

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        products = self.matrix(values.reshape(values.shape[:-1].numel(), values.shape[-1]), self.weight)
        products = products.view(*values.shape[:-1], self.out_features)
        return products if self.bias is None else products + self.bias.to(products.dtype)

    @staticmethod
    def shape_of(plain: nn.Linear) -> LayerShape:
        """The matrix of a plain layer."""
        return LayerShape(plain.in_features, plain.out_features)

    def to_plain(self) -> nn.Linear:
        """The plain layer with what the cells stand for: integers times steps; `learned` is what was learned."""
        factory = {"device": self.weight.device, "dtype": self.weight.dtype}
        plain = nn.Linear(self.in_features, self.out_features, self.bias is not None, **factory)
        return _filled(plain, self)

    def extra_repr(self) -> str:
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"
        )


class _AnalogConvolution(nn.Module):
    """What convolutions of 1, 2 and 3 axes share: weight [out, in / groups, *kernel], values [sample, in, *image]."""

    plain_class: type[nn.Module]

    def __init__(self, plain: Any, matrix: AnalogMatrix) -> None:
        super().__init__()
        self.options = _options(plain)
        for name, value in self.options.items():  # models read stride, out_channels and their like
            if name != "bias":
                setattr(self, name, value)
        self.weight, self.bias = plain.weight, plain.bias
        self.pads, self.pad_mode = _pads(plain), plain.padding_mode
        self.matrix = matrix

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        is_batched = values.dim() == self.weight.dim()
        values = values if is_batched else values.unsqueeze(0)
        if self.pads is not None:
            mode = "constant" if self.pad_mode == "zeros" else self.pad_mode
            values = functional.pad(values, self.pads, mode)
        products = self.matrix(values, self.weight)
        if self.bias is not None:
            products = products + self.bias.to(products.dtype).view(-1, *[1] * (products.dim() - 2))
        return products if is_batched else products.squeeze(0)

    @staticmethod
    def shape_of(plain: Any) -> LayerShape:
        """The matrix of a plain layer, and the window that slides over its (padded) image."""
        padding = (0,) * len(plain.kernel_size) if _pads(plain) else tuple(plain.padding)
        window = Window(tuple(plain.kernel_size), tuple(plain.stride), padding, tuple(plain.dilation))
        inputs = plain.in_channels // plain.groups * window.size
        return LayerShape(inputs, plain.out_channels, plain.groups, window)

    def to_plain(self) -> nn.Module:
        """The plain layer with what the cells stand for: integers times steps; `learned` is what was learned."""
        plain = self.plain_class(**self.options, device=self.weight.device, dtype=self.weight.dtype)
        return _filled(plain, self)

    def extra_repr(self) -> str:
        return ", ".join(f"{name}={value}" for name, value in self.options.items())


class AnalogConv1d(_AnalogConvolution):
    """A `torch.nn.Conv1d` on macros."""

    plain_class = nn.Conv1d


class AnalogConv2d(_AnalogConvolution):
    """A `torch.nn.Conv2d` on macros."""

    plain_class = nn.Conv2d


class AnalogConv3d(_AnalogConvolution):
    """A `torch.nn.Conv3d` on macros."""

    plain_class = nn.Conv3d


AnalogLayer = AnalogLinear | AnalogConv1d | AnalogConv2d | AnalogConv3d
ANALOG_OF: dict[type[nn.Module], type[AnalogLayer]] = {
    nn.Linear: AnalogLinear,
    nn.Conv1d: AnalogConv1d,
    nn.Conv2d: AnalogConv2d,
    nn.Conv3d: AnalogConv3d,
}
"""Plain layers that can be converted, exactly these classes, and what they become."""


def _filled(plain: Any, layer: Any) -> Any:
    """The plain layer with the weights of the analog one."""
    with torch.no_grad():
        plain.weight.copy_(layer.matrix.stood_for(layer.weight))
        if layer.bias is not None:
            plain.bias.copy_(layer.bias)
    plain.learned = layer.matrix.learned()
    return plain


def _options(plain: Any) -> dict[str, Any]:
    names = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups")
    options = {name: getattr(plain, name) for name in names}
    return options | {"bias": plain.bias is not None, "padding_mode": plain.padding_mode}


def _pads(plain: Any) -> list[int] | None:
    """What to pad before the window slides; None where the window itself pads with zeros, alike on both sides."""
    if plain.padding_mode == "zeros" and not isinstance(plain.padding, str):
        return None
    return list(plain._reversed_padding_repeated_twice)
