"""A network of ResNet-50's size: its own definition of the bottleneck blocks, random weights, 25.6 million of them.

He, Zhang, Ren and Sun 2016, "Deep Residual Learning for Image Recognition", Table 1, 50 layers; the stride is on the
3x3 convolution, as in most implementations today.
"""

import torch
from torch import nn


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1, and what they are added to."""

    def __init__(self, num_inputs: int, width: int, stride: int) -> None:
        super().__init__()
        num_outputs = 4 * width
        self.body = nn.Sequential(
            *_convolution(num_inputs, width, 1),
            nn.ReLU(),
            *_convolution(width, width, 3, stride),
            nn.ReLU(),
            *_convolution(width, num_outputs, 1),
        )
        is_plain = num_inputs == num_outputs and stride == 1
        self.beside = (
            nn.Identity() if is_plain else nn.Sequential(*_convolution(num_inputs, num_outputs, 1, stride))
        )
        self.relu = nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.relu(self.body(x) + self.beside(x))


def _convolution(num_inputs: int, num_outputs: int, kernel: int, stride: int = 1) -> tuple[nn.Module, ...]:
    convolution = nn.Conv2d(num_inputs, num_outputs, kernel, stride, kernel // 2, bias=False)
    return convolution, nn.BatchNorm2d(num_outputs)


def resnet_50(num_classes: int = 1000, seed: int = 0) -> nn.Module:
    """The network, in eval mode."""
    torch.manual_seed(seed)
    layers: list[nn.Module] = [*_convolution(3, 64, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    num_inputs = 64
    for width, number, stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
        for block in range(number):
            layers.append(Bottleneck(num_inputs, width, stride if block == 0 else 1))
            num_inputs = 4 * width
    head = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(num_inputs, num_classes))
    return nn.Sequential(*layers, *head).eval()
