"""Small models of every kind that a graph must be able to hold, each with an example of two samples."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import weight_norm

from crossloom.graph import Graph, trace


class Function(nn.Module):
    """A model made of layers and a function that is given them, so that a test reads in one place."""

    def __init__(self, function: Callable[..., object], **layers: nn.Module) -> None:
        super().__init__()
        self.function = function
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, *inputs: Tensor) -> object:
        return self.function(self, *inputs)


class Block(nn.Module):
    """A residual block whose shortcut subsamples and pads channels (option A)."""

    def __init__(self, num_inputs: int, num_outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(num_inputs, num_outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(num_outputs)
        self.conv2 = nn.Conv2d(num_outputs, num_outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(num_outputs)
        self.stride, self.missing = stride, num_outputs - num_inputs

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x)), inplace=True)))
        half = self.missing // 2
        shortcut = functional.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, half, half))
        return functional.relu(y + shortcut)


class UNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(1, 4, 3, padding=1)
        self.bottom = nn.Conv2d(4, 8, 3, padding=1)
        self.up = nn.ConvTranspose2d(8, 4, 2, stride=2)
        self.out = nn.Conv2d(16, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        skip = functional.relu(self.down(x))
        low = functional.relu(self.bottom(functional.max_pool2d(skip, 2)))
        wide = functional.interpolate(low, scale_factor=2, mode="bilinear", align_corners=False)
        return self.out(torch.cat([skip, self.up(low), wide], 1))


def _tied() -> nn.Module:
    model = Function(lambda m, tokens: m.decoder(m.embedding(tokens)), embedding=nn.Embedding(11, 4))
    model.add_module("decoder", nn.Linear(4, 11, bias=False))
    model.decoder.weight = model.embedding.weight
    return model


def _mlp() -> nn.Module:
    return nn.Sequential(
        nn.Flatten(), nn.Linear(8, 6), nn.ReLU(inplace=True), nn.Dropout(), nn.Linear(6, 5, bias=False),
        nn.BatchNorm1d(5), nn.Tanh(),
    )  # fmt: skip


def _convolutions() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2)), nn.BatchNorm2d(6), nn.ReLU(),
        nn.Conv2d(6, 6, 3, groups=6, bias=False), nn.Conv2d(6, 4, 1, groups=2),
    )  # fmt: skip


def _dynamic_views(model: nn.Module, x: Tensor) -> Tensor:
    pieces = x.view(x.size(0) * 2, -1)
    return model.linear(pieces[:, :4]).view(x.shape[0], 2, -1).flatten(1) + torch.arange(6, device=x.device)


def _stored_products(model: nn.Module, x: Tensor) -> Tensor:
    weight = model.linear.weight
    shift = torch.zeros(x.shape[0], 1)
    return (
        torch.addmm(model.linear.bias, x, weight.t()) + x @ weight.T + torch.mm(x, torch.eye(4) * 3) + shift
    )


@dataclass(frozen=True)
class Case:
    """How to make a model, and an example of two samples."""

    build: Callable[[], nn.Module]
    example: tuple[Tensor, ...]


def _images(*shape: int) -> tuple[Tensor, ...]:
    return (torch.randn(2, *shape, generator=torch.Generator().manual_seed(0)),)


CASES: dict[str, Case] = {
    "mlp": Case(_mlp, _images(2, 4)),
    "convolution 1d": Case(lambda: nn.Conv1d(3, 4, 3, stride=2, padding=1, dilation=2), _images(3, 12)),
    "convolutions 2d": Case(_convolutions, _images(4, 9, 8)),
    "convolution 3d": Case(
        lambda: nn.Sequential(nn.Conv3d(2, 4, 3, padding=1), nn.BatchNorm3d(4)), _images(2, 4, 5, 6)
    ),
    "same padding": Case(lambda: nn.Conv2d(2, 3, (4, 3), padding="same"), _images(2, 6, 7)),
    "circular padding": Case(
        lambda: nn.Conv2d(2, 3, 3, padding=1, padding_mode="circular"), _images(2, 6, 6)
    ),
    "residual": Case(lambda: nn.Sequential(Block(4, 4, 1), Block(4, 8, 2)), _images(4, 8, 8)),
    "u-net": Case(UNet, _images(1, 8, 8)),
    "transformer": Case(
        lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2),
        _images(5, 8),
    ),
    "attention": Case(
        lambda: Function(
            lambda m, x: m.attention(x, x, x), attention=nn.MultiheadAttention(8, 2, batch_first=True)
        ),
        _images(5, 8),
    ),
    "lstm": Case(lambda: nn.LSTM(4, 6, num_layers=2, batch_first=True, bidirectional=True), _images(5, 4)),
    "gru": Case(lambda: nn.GRU(4, 6, batch_first=True), _images(5, 4)),
    "embedding": Case(
        lambda: nn.Sequential(nn.Embedding(11, 4), nn.LayerNorm(4), nn.Linear(4, 3)),
        (torch.tensor([[0, 3, 7], [10, 1, 1]]),),
    ),
    "tied weights": Case(_tied, (torch.tensor([[0, 3], [10, 1]]),)),
    "two inputs": Case(
        lambda: Function(
            lambda m, x, y: m.a(x) * torch.sigmoid(m.b(y)), a=nn.Linear(4, 3), b=nn.Linear(2, 3)
        ),
        (*_images(4), *_images(2)),
    ),
    "nested outputs": Case(
        lambda: Function(lambda m, x: {"y": m.a(x), "more": (x, None, [m.a.bias])}, a=nn.Linear(4, 3)),
        _images(4),
    ),
    "dynamic views": Case(lambda: Function(_dynamic_views, linear=nn.Linear(4, 3)), _images(8)),
    "stored products": Case(lambda: Function(_stored_products, linear=nn.Linear(4, 4)), _images(4)),
    "weight norm": Case(lambda: nn.Sequential(weight_norm(nn.Linear(4, 3)), nn.ReLU()), _images(4)),
    "shared layer": Case(
        lambda: Function(
            lambda m, x: m.norm(m.fc(m.norm(m.fc(x)))), fc=nn.Linear(4, 4), norm=nn.BatchNorm1d(4)
        ),
        _images(4),
    ),
}  # fmt: skip


@cache
def model_of(name: str) -> nn.Module:
    """The model in eval mode, with batch norms whose statistics are not the initial ones."""
    torch.manual_seed(0)
    model = CASES[name].build().eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
            nn.init.normal_(module.weight)
            nn.init.normal_(module.bias)
    return model


@cache
def graph_of(name: str) -> Graph:
    return trace(model_of(name), CASES[name].example)


def batch_of(name: str, size: int) -> tuple[Tensor, ...]:
    """`size` samples, none of them the example's."""
    return tuple(
        (tensor.repeat(size, *[1] * (tensor.ndim - 1))[:size].flip(-1) + (tensor.is_floating_point()))
        for tensor in CASES[name].example
    )
