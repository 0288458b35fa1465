"""Whole networks: on ideal hardware they answer just as the integer interpreter, and ONNX files as PyTorch modules."""

import pytest
import torch
from cifar_resnet import CifarResNet
from torch import nn
from torch.nn import functional

import crossloom as xl
from crossloom.graph import Digital, Matrix


class DepthwiseBlock(nn.Module):
    """An inverted residual as in MobileNetV2."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.expand = nn.Sequential(
            nn.Conv2d(channels, hidden, 1, bias=False), nn.BatchNorm2d(hidden), nn.ReLU6()
        )
        self.depthwise = nn.Sequential(
            nn.Conv2d(hidden, hidden, 3, 1, 1, groups=hidden, bias=False), nn.BatchNorm2d(hidden), nn.ReLU6()
        )
        self.project = nn.Sequential(nn.Conv2d(hidden, channels, 1, bias=False), nn.BatchNorm2d(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.project(self.depthwise(self.expand(x)))


class SmallMobileNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, 2, 1)
        self.blocks = nn.Sequential(DepthwiseBlock(16, 64), DepthwiseBlock(16, 64))
        self.head = nn.Linear(16, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.blocks(self.stem(x)).mean((2, 3)))


class SmallUNet(nn.Module):
    """Two levels down and up again, with skip connections."""

    def __init__(self) -> None:
        super().__init__()
        self.down1, self.down2 = nn.Conv2d(1, 8, 3, padding=1), nn.Conv2d(8, 16, 3, padding=1)
        self.bottom = nn.Conv2d(16, 16, 3, padding=1)
        self.up2, self.up1 = nn.Conv2d(32, 8, 3, padding=1), nn.Conv2d(16, 8, 3, padding=1)
        self.head = nn.Conv2d(8, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first = functional.relu(self.down1(x))
        second = functional.relu(self.down2(functional.max_pool2d(first, 2)))
        bottom = functional.relu(self.bottom(functional.max_pool2d(second, 2)))
        up = functional.interpolate(bottom, scale_factor=2.0)
        up = functional.relu(self.up2(torch.cat([up, second], 1)))
        up = functional.interpolate(up, scale_factor=2.0)
        return self.head(functional.relu(self.up1(torch.cat([up, first], 1))))


class SmallEncoder(nn.Module):
    """Token embeddings, two encoder layers, and a classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(30, 24)
        layer = nn.TransformerEncoderLayer(24, 4, 48, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(24, 5)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.head(self.encoder(self.embed(tokens)).mean(1))


def settle_batch_norms(model: nn.Module) -> nn.Module:
    """Give batch norms statistics as training would."""
    generator = torch.Generator().manual_seed(5)
    for part in model.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.normal_(0, 0.3, generator=generator)
            part.running_var.uniform_(0.5, 2, generator=generator)
    return model.eval()


CASES = {
    "transformer encoder": (SmallEncoder, lambda g: torch.randint(0, 30, (6, 7), generator=g)),
    "depthwise net": (SmallMobileNet, lambda g: torch.randn(6, 3, 16, 16, generator=g)),
    "U-Net": (SmallUNet, lambda g: torch.randn(6, 1, 16, 16, generator=g)),
}


@pytest.mark.parametrize("case", CASES)
def test_a_network_on_ideal_hardware_answers_exactly_as_its_integers(case):
    make, draw = CASES[case]
    torch.manual_seed(0)
    model, inputs = settle_batch_norms(make()), draw(torch.Generator().manual_seed(1))
    system = xl.load_system("ideal")
    chips = xl.program(xl.compile(model, system, data=[inputs]), xl.simulate(system))
    result = xl.run(chips, inputs, batch_size=4)
    assert torch.equal(result.outputs, xl.run(chips, inputs, mode="integer").outputs)
    assert all(quality.error_power == 0 for quality in result.quality)
    in_float = xl.run(chips, inputs, mode="float").outputs
    torch.testing.assert_close(in_float, model(inputs).detach(), atol=1e-4, rtol=1e-4)
    error = (result.outputs - in_float).square().mean() / in_float.var()
    assert error < 0.05


@pytest.mark.parametrize(
    "keeps_batch_norm", [True, False], ids=["norms kept", "norms folded by the exporter"]
)
def test_resnet32_from_onnx_and_from_pytorch_are_the_same(tmp_path, keeps_batch_norm):
    torch.manual_seed(0)
    model, inputs = settle_batch_norms(CifarResNet(5)), torch.randn(8, 3, 16, 16)
    path = tmp_path / "resnet32.onnx"
    torch.onnx.export(
        model,
        (inputs,),
        path,
        dynamo=True,
        optimize=not keeps_batch_norm,
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        verbose=False,
    )
    system = xl.load_system("ideal")
    ours, theirs = (xl.compile(source, system, data=[inputs]) for source in (model, str(path)))
    check_equal_graphs(ours.mapped.quantized, theirs.mapped.quantized)
    answers = [xl.run(xl.program(placed, xl.simulate(system)), inputs).outputs for placed in (ours, theirs)]
    assert torch.equal(*answers)


def check_equal_graphs(ours: xl.QuantizedGraph, theirs: xl.QuantizedGraph) -> None:
    kinds = [
        [
            node.operation if isinstance(node, Digital) else type(node).__name__
            for node in quantized.graph.nodes
        ]
        for quantized in (ours, theirs)
    ]
    assert kinds[0] == kinds[1]
    for node, twin in zip(ours.graph.matrices, theirs.graph.matrices, strict=True):
        assert isinstance(node, Matrix)
        assert (node.window, node.groups, node.activation) == (twin.window, twin.groups, twin.activation)
        layer, other = ours.layers[node.name], theirs.layers[twin.name]
        assert torch.equal(layer.weight, other.weight)
        assert torch.equal(layer.weight_step, other.weight_step)
        assert layer.input_step == other.input_step
        assert (layer.bias is None) == (other.bias is None)
        assert layer.bias is None or torch.equal(layer.bias, other.bias)
