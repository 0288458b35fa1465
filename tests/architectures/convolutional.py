"""Image classifiers made of convolutions."""

from functools import partial

import torch
from architecture import Architecture, images
from torch import Tensor, nn
from torch.nn import functional


def conv(
    inputs: int,
    outputs: int,
    kernel: int | tuple[int, int] = 3,
    stride: int = 1,
    groups: int = 1,
    act: type[nn.Module] | None = nn.ReLU,
) -> nn.Sequential:
    """Convolution that keeps the size, batch norm, activation."""
    sizes = (kernel, kernel) if isinstance(kernel, int) else kernel
    padding = (sizes[0] // 2, sizes[1] // 2)
    layers = [
        nn.Conv2d(inputs, outputs, sizes, stride, padding, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    return nn.Sequential(*layers, *([act()] if act else []))


class Classifier(nn.Module):
    """A stem, blocks, a mean over the image, a linear layer."""

    def __init__(self, width: int, *blocks: nn.Module, features: int | None = None) -> None:
        super().__init__()
        self.stem = conv(3, width, 3, 2)
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(features or width, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.blocks(self.stem(x)).mean((2, 3)))


class AlexNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 8, 5, 2, 2), nn.ReLU(inplace=True), nn.LocalResponseNorm(3), nn.MaxPool2d(3, 2),
            nn.Conv2d(8, 12, 5, padding=2, groups=2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2),
            nn.Conv2d(12, 8, 3, padding=1), nn.ReLU(inplace=True),
        )  # fmt: skip
        self.pool = nn.AdaptiveAvgPool2d((2, 2))
        self.classifier = nn.Sequential(
            nn.Dropout(), nn.Linear(32, 24), nn.ReLU(inplace=True), nn.Dropout(), nn.Linear(24, 5)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(torch.flatten(self.pool(self.features(x)), 1))


def vgg() -> nn.Module:
    return nn.Sequential(
        conv(3, 8), nn.MaxPool2d(2), conv(8, 12), conv(12, 12), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(12 * 16, 16), nn.ReLU(), nn.Linear(16, 5),
    )  # fmt: skip


class Residual(nn.Module):
    """A body, a shortcut (a projection where shapes differ), a rectifier."""

    def __init__(self, body: nn.Module, shortcut: nn.Module | None = None, act: bool = True) -> None:
        super().__init__()
        self.body, self.shortcut, self.act = body, shortcut or nn.Identity(), act

    def forward(self, x: Tensor) -> Tensor:
        y = self.body(x) + self.shortcut(x)
        return functional.relu(y) if self.act else y


def basic_block(inputs: int, outputs: int, stride: int = 1) -> nn.Module:
    shortcut = conv(inputs, outputs, 1, stride, act=None) if stride > 1 or inputs != outputs else None
    return Residual(
        nn.Sequential(conv(inputs, outputs, 3, stride), conv(outputs, outputs, act=None)), shortcut
    )


def bottleneck(inputs: int, inner: int, outputs: int, stride: int = 1, groups: int = 1) -> nn.Module:
    body = nn.Sequential(
        conv(inputs, inner, 1), conv(inner, inner, 3, stride, groups), conv(inner, outputs, 1, act=None)
    )
    shortcut = conv(inputs, outputs, 1, stride, act=None) if stride > 1 or inputs != outputs else None
    return Residual(body, shortcut)


class PreActivation(nn.Module):
    """Norm and rectifier come before convolutions, so that norms cannot be folded."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.bn1, self.bn2 = nn.BatchNorm2d(width), nn.BatchNorm2d(width)
        self.conv1, self.conv2 = (nn.Conv2d(width, width, 3, padding=1, bias=False) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(functional.relu(self.bn1(x)))
        return x + self.conv2(functional.relu(self.bn2(y)))


class DenseBlock(nn.Module):
    def __init__(self, inputs: int, growth: int, num_layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Sequential(
                nn.BatchNorm2d(inputs + number * growth), nn.ReLU(),
                nn.Conv2d(inputs + number * growth, growth, 3, padding=1, bias=False),
            )
            for number in range(num_layers)
        )  # fmt: skip
        outputs = inputs + num_layers * growth
        self.transition = nn.Sequential(
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs // 2, 1, bias=False),
            nn.AvgPool2d(2),
        )

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = torch.cat([x, layer(x)], 1)
        return self.transition(x)


class Branches(nn.Module):
    """Several ways side by side, joined along the channels."""

    def __init__(self, *ways: nn.Module) -> None:
        super().__init__()
        self.ways = nn.ModuleList(ways)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([way(x) for way in self.ways], 1)


def inception_v1() -> nn.Module:
    return Branches(
        conv(8, 4, 1), nn.Sequential(conv(8, 4, 1), conv(4, 6)), nn.Sequential(conv(8, 2, 1), conv(2, 4, 5)),
        nn.Sequential(nn.MaxPool2d(3, 1, 1), conv(8, 2, 1)),
    )  # fmt: skip


def inception_v3() -> nn.Module:
    return Branches(
        conv(8, 4, 1), nn.Sequential(conv(8, 4, 1), conv(4, 4, (1, 7)), conv(4, 6, (7, 1))),
        nn.Sequential(conv(8, 4, 1), Branches(conv(4, 3, (1, 3)), conv(4, 3, (3, 1)))),
        nn.Sequential(nn.AvgPool2d(3, 1, 1), conv(8, 2, 1)),
    )  # fmt: skip


def fire() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(8, 4, 1), nn.ReLU(),
        Branches(
            nn.Sequential(nn.Conv2d(4, 6, 1), nn.ReLU()), nn.Sequential(nn.Conv2d(4, 6, 3, padding=1), nn.ReLU())
        ),
    )  # fmt: skip


class SqueezeExcite(nn.Module):
    def __init__(self, width: int, inner: int, act: type[nn.Module], gate: type[nn.Module]) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Conv2d(width, inner, 1), nn.Conv2d(inner, width, 1)
        self.act, self.gate = act(), gate()

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(self.fc2(self.act(self.fc1(functional.adaptive_avg_pool2d(x, 1)))))


def inverted_residual(
    width: int, expand: int, act: type[nn.Module], excite: nn.Module | None = None, kernel: int = 3
) -> nn.Module:
    layers = [conv(width, expand, 1, act=act), conv(expand, expand, kernel, groups=expand, act=act)]
    return Residual(
        nn.Sequential(*layers, excite or nn.Identity(), conv(expand, width, 1, act=None)), act=False
    )


class ShuffleUnit(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        half = width // 2
        self.branch = nn.Sequential(
            conv(half, half, 1), conv(half, half, groups=half, act=None), conv(half, half, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        left, right = x.chunk(2, 1)
        joined = torch.cat([left, self.branch(right)], 1)
        size = joined.shape
        return joined.view(size[0], 2, size[1] // 2, *size[2:]).transpose(1, 2).reshape(size)


class ConvNeXtBlock(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(width, width, 7, padding=3, groups=width)
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.expand, self.project = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.scale = nn.Parameter(torch.rand(width, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.depthwise(x).permute(0, 2, 3, 1))
        y = self.project(functional.gelu(self.expand(y))).permute(0, 3, 1, 2)
        return x + self.scale * y


IMAGE = images(3, 16, 16)
_excited = partial(SqueezeExcite, 16, 4)

CONVOLUTIONAL = (
    Architecture("AlexNet", "Krizhevsky et al. 2012", AlexNet, IMAGE, 1),
    Architecture("VGG", "Simonyan and Zisserman 2015", vgg, IMAGE, 1),
    Architecture("ResNet", "He et al. 2016", lambda: Classifier(8, basic_block(8, 12, 2), features=12), IMAGE, 1),
    Architecture(
        "ResNet, bottleneck", "He et al. 2016", lambda: Classifier(8, bottleneck(8, 4, 16, 2), features=16), IMAGE, 1
    ),
    Architecture(
        "ResNet, norms first", "He et al. 2016b", lambda: Classifier(8, PreActivation(8)), IMAGE, 1
    ),
    Architecture(
        "ResNeXt", "Xie et al. 2017", lambda: Classifier(8, bottleneck(8, 8, 16, groups=4), features=16), IMAGE, 1
    ),
    Architecture(
        "Wide ResNet", "Zagoruyko and Komodakis 2016",
        lambda: Classifier(8, basic_block(8, 32, 2), features=32), IMAGE, 1,
    ),
    Architecture("DenseNet", "Huang et al. 2017", lambda: Classifier(8, DenseBlock(8, 4, 2)), IMAGE, 1),
    Architecture("GoogLeNet", "Szegedy et al. 2015", lambda: Classifier(8, inception_v1(), features=16), IMAGE, 1),
    Architecture("Inception-v3", "Szegedy et al. 2016", lambda: Classifier(8, inception_v3(), features=18), IMAGE, 1),
    Architecture("SqueezeNet", "Iandola et al. 2016", lambda: Classifier(8, fire(), features=12), IMAGE, 1),
    Architecture(
        "MobileNet v1", "Howard et al. 2017",
        lambda: Classifier(8, conv(8, 8, groups=8), conv(8, 16, 1), features=16), IMAGE, 1,
    ),
    Architecture(
        "MobileNet v2", "Sandler et al. 2018", lambda: Classifier(8, inverted_residual(8, 16, nn.ReLU6)), IMAGE, 1
    ),
    Architecture(
        "MobileNet v3", "Howard et al. 2019",
        lambda: Classifier(8, inverted_residual(8, 16, nn.Hardswish, _excited(nn.ReLU, nn.Hardsigmoid), 5)), IMAGE, 1,
    ),
    Architecture(
        "MNASNet", "Tan et al. 2019", lambda: Classifier(8, inverted_residual(8, 16, nn.ReLU, kernel=5)), IMAGE, 1
    ),
    Architecture("ShuffleNet v2", "Ma et al. 2018", lambda: Classifier(8, ShuffleUnit(8)), IMAGE, 1),
    Architecture(
        "EfficientNet", "Tan and Le 2019",
        lambda: Classifier(8, inverted_residual(8, 16, nn.SiLU, _excited(nn.SiLU, nn.Sigmoid))), IMAGE, 1,
    ),
    Architecture(
        "RegNet", "Radosavovic et al. 2020",
        lambda: Classifier(
            8,
            Residual(
                nn.Sequential(
                    conv(8, 16, 1), conv(16, 16, groups=2), _excited(nn.ReLU, nn.Sigmoid), conv(16, 8, 1, act=None)
                )
            ),
        ), IMAGE, 1,
    ),
    Architecture("ConvNeXt", "Liu et al. 2022", lambda: Classifier(8, ConvNeXtBlock(8)), IMAGE, 1),
)  # fmt: skip
