"""A small one-stage detector of defects on circuit boards: a picture beside its faultless template."""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from crossloom.errors import DataError
from recipes.six_models.boxes import STRIDE, encode, listed, mean_average_precision
from recipes.six_models.images import read_gray
from recipes.six_models.task import Samples, Schedule, Task, find_folder

NUM_CLASSES = 6  # open, short, mouse bite, spur, spurious copper, pin hole
FULL, SIDE, CROP = 640, 320, 160  # pixels of a picture, of it at half its size, of a crop of that
GRID = CROP // STRIDE
DROPOUT, NOISE = 0.1, 0.1
STEPS = {"train": 53, "test": CROP}  # pixels between crops
LISTS = {"train": "trainval.txt", "test": "test.txt"}


class Detector(nn.Module):
    """Convolutions down to an eighth, and in each cell of that grid: is a box's centre here, where, how large, what.

    Pairs [sample, (template, what differs), row, column] give [sample, 5 + classes, row / 8, column / 8].
    """

    def __init__(self) -> None:
        super().__init__()
        widths = ((2, 16, 2), (16, 24, 1), (24, 32, 2), (32, 32, 1), (32, 64, 2), (64, 64, 1), (64, 64, 1))
        layers: list[nn.Module] = []
        for number, (num_in, num_out, stride) in enumerate(widths):
            convolution = nn.Conv2d(num_in, num_out, 3, stride, padding=1, bias=False)
            layers += [convolution, nn.BatchNorm2d(num_out), nn.ReLU()]
            layers += [nn.Dropout2d(DROPOUT)] if number >= 2 else []
        self.features = nn.Sequential(*layers)
        self.cells = nn.Conv2d(64, 5 + NUM_CLASSES, 1)
        nn.init.constant_(self.cells.bias[:1], -4.0)  # type: ignore[index]

    def forward(self, pairs: Tensor) -> Tensor:
        """See the class."""
        return self.cells(self.features(pairs))


def load(data: Path, part: str) -> Samples:
    """Crops [crop, 2, 160, 160] of pairs at half their size, and targets.

    Training targets are grids [crop, 6, 20, 20], see `encode`; those that judge are all boxes themselves,
    [crop, box, 5], filled up with class -1.

    The first channel is the template, from -1 to 1, the second what the picture has more or less. By the published
    lists, as far as the pairs are there. Training crops overlap and come in all eight ways to lay them; boxes whose
    centre is outside a crop are left out.
    """
    folder = find_folder(data, "defects_deeppcb", "DeepPCB", ".") / "PCBData"
    inputs, targets = [], []
    for picture, boxes in _pairs(folder, part):
        pair = torch.stack(
            [
                read_gray(picture.with_name(f"{picture.stem}_{name}.jpg"), (SIDE, SIDE))
                for name in ("temp", "test")
            ]
        )
        for turn in range(8 if part == "train" else 1):
            for image, inside, classes in _crops(*_lay(pair, boxes, turn), STEPS[part]):
                inputs.append(image)
                targets.append((encode if part == "train" else listed)(inside, classes, GRID))
    pairs = torch.stack(inputs)
    template, picture = pairs.unbind(1)
    return Samples(torch.stack([2 * template - 1, picture - template], 1), pad_sequence(targets, True, -1.0))


def augment(pairs: Tensor, generator: torch.Generator) -> Tensor:
    """Noise on every pixel, and a batch shifted against its template by up to a pixel."""
    move = torch.randint(-1, 2, (2,), generator=generator).tolist()
    pictures = (pairs[:, 0] + 1) / 2 + pairs[:, 1]
    moved = pictures.roll(move, (1, 2)) - (pairs[:, 0] + 1) / 2
    some = torch.stack([pairs[:, 0], moved], 1)
    return some + NOISE * torch.randn(some.shape, generator=generator)


def loss(outputs: Tensor, targets: Tensor) -> Tensor:
    """Focal loss of centres (Lin et al., ICCV 2017), distances of boxes and cross entropy of classes where one is."""
    there = targets[:, 0]
    chance = outputs[:, 0].sigmoid()
    missed = (chance - there).abs().square()
    entropy = functional.binary_cross_entropy_with_logits(outputs[:, 0], there, reduction="none")
    weight = torch.where(there > 0, 1.0, 0.5)
    here = there > 0
    number = here.sum().clamp(min=1)
    answers, wanted = outputs.movedim(1, -1)[here], targets.movedim(1, -1)[here]
    places = functional.smooth_l1_loss(answers[:, 1:3].sigmoid(), wanted[:, 1:3], beta=0.1, reduction="sum")
    sides = functional.smooth_l1_loss(answers[:, 3:5], wanted[:, 3:5], beta=0.1, reduction="sum")
    kinds = functional.cross_entropy(answers[:, 5:], wanted[:, 5].long(), reduction="sum")
    return ((weight * missed * entropy).sum() * 4 + places + sides + kinds) / number


def _pairs(folder: Path, part: str) -> list[tuple[Path, Tensor]]:
    """Picture (without its ending's `_test`) and its boxes [box, (left, top, right, bottom, class from 1)]."""
    path = folder / LISTS[part]
    if not path.is_file():
        raise DataError(f"no {path}; need the folder PCBData of tangsanli5201/DeepPCB")
    names = [line.split() for line in path.read_text().splitlines() if line.strip()]
    there = [(folder / picture, folder / boxes) for picture, boxes in names if (folder / boxes).is_file()]
    if not there:
        raise DataError(f"none of the pairs that {path} lists is in {folder}")
    return [(picture, _read_boxes(boxes)) for picture, boxes in there]


def _read_boxes(path: Path) -> Tensor:
    lines = [line.replace(",", " ").split() for line in path.read_text().splitlines() if line.strip()]
    return torch.tensor([[float(word) for word in line] for line in lines])


def _lay(pair: Tensor, boxes: Tensor, turn: int) -> tuple[Tensor, Tensor]:
    """One of the eight ways to lay a picture [channel, row, column] at half its size, and its boxes."""
    if turn >= 4:
        pair = pair.flip(-1)
        boxes = torch.stack([FULL - boxes[:, 2], boxes[:, 1], FULL - boxes[:, 0], *boxes[:, 3:].T], 1)
    for _ in range(turn % 4):  # a quarter to the left: columns become rows, counted from the other end
        left, top, right, bottom, number = boxes.T
        boxes = torch.stack([top, FULL - right, bottom, FULL - left, number], 1)
    return pair.rot90(turn % 4, (-2, -1)), boxes


def _crops(pair: Tensor, boxes: Tensor, step: int) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Crops, all boxes as seen from each, and their classes from 0."""
    starts = range(0, SIDE - CROP + 1, step)
    found = []
    for top in starts:
        for left in starts:
            inside = boxes[:, :4] * SIDE / FULL - torch.tensor([left, top, left, top])
            crop = pair[:, top : top + CROP, left : left + CROP]
            found.append((crop, inside, boxes[:, 4] - 1))
    return found


TASK = Task(
    name="detector",
    title="detector on circuit boards",
    metric="mAP@0.5",
    published=(
        "0.986 with 1,000 training pairs (Tang et al., arXiv:1902.06197), by a far larger network; "
        "here 30 pairs train, 25 judge"
    ),
    build=Detector,
    load=load,
    loss=loss,
    score=mean_average_precision,
    augment=augment,
    labels=False,
    schedule=Schedule(epochs=12, mapped_epochs=10, batch_size=32, mapped_batch_size=16, weight_decay=0.02),
)
