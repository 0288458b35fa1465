"""ResNets for CIFAR-10 (He et al., 2015) with parameter-free shortcuts, and their published weights."""

from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Block(nn.Module):
    """Two convolutions beside a shortcut that drops every other pixel and pads channels with zeros."""

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.stride, self.pad = stride, (channels - in_channels) // 2

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = functional.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        if self.pad:
            x = functional.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.pad, self.pad))
        return functional.relu(out + x)


class CifarResNet(nn.Module):
    """A ResNet of 6 n + 2 layers: `num_blocks` n = 3 is ResNet-20, 5 is ResNet-32."""

    def __init__(self, num_blocks: int = 5, num_classes: int = 10) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = self._stage(16, 16, 1, num_blocks)
        self.layer2 = self._stage(16, 32, 2, num_blocks)
        self.layer3 = self._stage(32, 64, 2, num_blocks)
        self.linear = nn.Linear(64, num_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = functional.relu(self.bn1(self.conv1(x)))
        out = self.layer3(self.layer2(self.layer1(out)))
        return self.linear(out.mean((2, 3)))

    @staticmethod
    def _stage(in_channels: int, channels: int, stride: int, num_blocks: int) -> nn.Sequential:
        first = Block(in_channels, channels, stride)
        return nn.Sequential(first, *(Block(channels, channels, 1) for _ in range(num_blocks - 1)))


def resnet32() -> CifarResNet:
    """An untrained ResNet-32."""
    return CifarResNet(5)


def load_pretrained(model: nn.Module, path: Path) -> nn.Module:
    """Load a checkpoint in the layout of akamaster/pytorch_resnet_cifar10, and switch to evaluation."""
    checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    state = checkpoint.get("state_dict", checkpoint)
    model.load_state_dict({name.removeprefix("module."): value for name, value in state.items()})
    return model.eval()
