"""A small U-Net that marks defects on magnetic tiles, pixel by pixel."""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from crossloom.errors import DataError
from recipes.six_models.images import read_gray, turned
from recipes.six_models.task import Samples, Schedule, Task, find_folder

KINDS = ("Blowhole", "Break", "Crack", "Fray", "Free", "Uneven")
SIZE = (96, 96)
TEST_EVERY = 5  # of each kind, by name: the same division every time


class UNet(nn.Module):
    """Two steps down and up again (Ronneberger, Fischer and Brox, MICCAI 2015), with transposed convolutions.

    Images [sample, 1, row, column] give the logit of a defect at each pixel, of the same shape; sides are multiples
    of 4.
    """

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.first = _twice(1, width)
        self.second = _twice(width, 2 * width)
        self.bottom = _twice(2 * width, 4 * width)
        self.up_second = nn.ConvTranspose2d(4 * width, 2 * width, 2, stride=2)
        self.join_second = _twice(4 * width, 2 * width)
        self.up_first = nn.ConvTranspose2d(2 * width, width, 2, stride=2)
        self.join_first = _twice(2 * width, width)
        self.defect = nn.Conv2d(width, 1, 1)

    def forward(self, images: Tensor) -> Tensor:
        """See the class."""
        first = self.first(images)
        second = self.second(functional.max_pool2d(first, 2))
        bottom = self.bottom(functional.max_pool2d(second, 2))
        second = self.join_second(torch.cat([self.up_second(bottom), second], 1))
        return self.defect(self.join_first(torch.cat([self.up_first(second), first], 1)))


def load(data: Path, part: str) -> Samples:
    """Images [sample, 1, row, column] of mean 0 and deviation 1 each, and masks: a fifth of each kind tests.

    Training images come in all eight ways to lay them.
    """
    folder = find_folder(data, "defects_magnetic_tile", "Magnetic-tile-defect-datasets", ".")
    paths = [path for kind in KINDS for path in _parts(folder / f"MT_{kind}" / "Imgs")[part == "test"]]
    images = torch.stack([read_gray(path, SIZE) for path in paths]).unsqueeze(1)
    masks = torch.stack([read_gray(path.with_suffix(".png"), SIZE, True) for path in paths]).unsqueeze(1)
    images = (images - images.mean((2, 3), keepdim=True)) / images.std((2, 3), keepdim=True).clamp(min=1e-3)
    return Samples(images, masks) if part == "test" else Samples(turned(images), turned(masks))


def loss(outputs: Tensor, masks: Tensor) -> Tensor:
    """Cross entropy, and 1 - Dice's coefficient of all pixels of the batch: defects are few."""
    chances = outputs.sigmoid()
    overlap = 2 * (chances * masks).sum() + 1
    return functional.binary_cross_entropy_with_logits(outputs, masks) + (
        1 - overlap / (chances.sum() + masks.sum() + 1)
    )


def mean_iou(outputs: Tensor, masks: Tensor) -> float:
    """Intersection over union of defects and of the rest, over the pixels of all images, and their mean."""
    said, true = outputs > 0, masks > 0.5
    defect = (said & true).sum() / (said | true).sum().clamp(min=1)
    rest = (~said & ~true).sum() / (~said | ~true).sum().clamp(min=1)
    return (defect.double().item() + rest.double().item()) / 2


def _parts(folder: Path) -> tuple[list[Path], list[Path]]:
    """Images for training and for testing, by name."""
    paths = sorted(folder.glob("*.jpg"))
    if len(paths) < TEST_EVERY:
        raise DataError(
            f"need at least {TEST_EVERY} images *.jpg with masks *.png in {folder}, got {len(paths)}"
        )
    chosen = set(paths[TEST_EVERY - 1 :: TEST_EVERY])
    return [path for path in paths if path not in chosen], sorted(chosen)


def _twice(num_in: int, num_out: int) -> nn.Sequential:
    """Two convolutions of 3 x 3, each with a batch norm and a rectifier."""
    layers: list[nn.Module] = []
    for number in (num_in, num_out):
        convolution = nn.Conv2d(number, num_out, 3, padding=1, bias=False)
        layers += [convolution, nn.BatchNorm2d(num_out), nn.ReLU()]
    return nn.Sequential(*layers)


TASK = Task(
    name="unet",
    title="U-Net on magnetic tiles",
    metric="mean IoU",
    published=(
        "66.9 % on all 1,344 images by a far larger network (DEU-Net, Appl. Sci. 14, 4724, 2024); "
        "here 72 images train, 18 judge, and defects are of one kind"
    ),
    build=UNet,
    load=load,
    loss=loss,
    score=mean_iou,
    labels=False,
    schedule=Schedule(epochs=25, mapped_epochs=60, batch_size=16, mapped_batch_size=8),
)
