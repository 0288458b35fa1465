"""ResNet-32 on CIFAR-10: published weights, and the weights that `recipes/pdt_resnet32.py` trained for the chips."""

from collections.abc import Sequence
from pathlib import Path

from torch import nn
from torch.nn import functional

from crossloom.errors import DataError
from crossloom.training import load_learned
from recipes.cifar import PRETRAINED, load_split, network
from recipes.six_models.task import Samples, Task, accuracy

LEARNED = Path(__file__).parents[1] / "weights" / "pdt_resnet32_noisy.safetensors"


def build() -> nn.Module:
    """With random weights."""
    return network("resnet32")


def load(data: Path, part: str) -> Samples:
    """Normalised as the published weights want it."""
    found = load_split(data, part)
    assert found.labels is not None
    return Samples(found.inputs, found.labels)


def pretrained(folders: Sequence[Path]) -> tuple[nn.Module, nn.Module]:
    """The float network, whose weights lie somewhere in these folders, and the one that was trained as mapped."""
    name = PRETRAINED["resnet32"]
    path = next((path for folder in folders for path in folder.rglob(name)), None)
    if path is None:
        raise DataError(
            f"no {name} in {', '.join(map(str, folders))}; put the weights of akamaster/pytorch_resnet_cifar10 there"
        )
    return network("resnet32", path).eval(), load_learned(build().eval(), LEARNED)


TASK = Task(
    name="resnet32",
    title="ResNet-32 on CIFAR-10",
    metric="accuracy",
    published="92.49 % (He et al., CVPR 2016); these weights 92.63 %",
    build=build,
    load=load,
    loss=functional.cross_entropy,
    score=accuracy,
    pretrained=pretrained,
)
