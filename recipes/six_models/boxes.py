"""Boxes: how a grid of answers stands for them, and mean average precision."""

import torch
from torch import Tensor

STRIDE = 8  # pixels of a cell of the grid
TYPICAL = 18.0  # pixels: the side of a box whose logarithm is 0
MIN_SCORE, MAX_OVERLAP, MATCH = 0.05, 0.5, 0.5


def encode(boxes: Tensor, classes: Tensor, grid: int) -> Tensor:
    """Boxes [box, (left, top, right, bottom)] in pixels as targets [6, row, column].

    Channels: whether a box has its centre in the cell, the centre's place in the cell (column, row), logarithms of
    width and height, class. Boxes whose centre lies outside are left out; of two in one cell the last stays.
    """
    target = torch.zeros(6, grid, grid)
    for (left, top, right, bottom), number in zip(boxes.tolist(), classes.tolist(), strict=True):
        column, row = (left + right) / 2 / STRIDE, (top + bottom) / 2 / STRIDE
        if 0 <= column < grid and 0 <= row < grid:
            sides = torch.tensor([right - left, bottom - top]).clamp(min=1.0) / TYPICAL
            place = torch.tensor([column % 1, row % 1])
            target[:, int(row), int(column)] = torch.cat(
                [torch.ones(1), place, sides.log(), torch.tensor([number])]
            )
    return target


def listed(boxes: Tensor, classes: Tensor, grid: int) -> Tensor:
    """Those of the boxes whose centre lies inside, with their classes: [box, (left, top, right, bottom, class)]."""
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2 / STRIDE
    inside = ((centres >= 0) & (centres < grid)).all(1)
    return torch.cat([boxes, classes[:, None]], 1)[inside]


def decode(cells: Tensor) -> Tensor:
    """Channels 1 to 4 of targets or answers, [sample, 4, row, column], as boxes [sample, row, column, 4] in pixels."""
    rows, columns = torch.meshgrid(*(torch.arange(side) for side in cells.shape[-2:]), indexing="ij")
    centre = torch.stack([columns + cells[:, 0], rows + cells[:, 1]], -1) * STRIDE
    half = cells[:, 2:].clamp(-3, 3).exp().movedim(1, -1) * TYPICAL / 2
    return torch.cat([centre - half, centre + half], -1)


def overlaps(some: Tensor, others: Tensor) -> Tensor:
    """Intersection over union of every pair of boxes [box, 4] and [other, 4]: [box, other]."""
    low = torch.maximum(some[:, None, :2], others[:, :2])
    high = torch.minimum(some[:, None, 2:], others[:, 2:])
    common = (high - low).clamp(min=0).prod(-1)
    areas = [(boxes[:, 2:] - boxes[:, :2]).clamp(min=0).prod(-1) for boxes in (some, others)]
    return common / (areas[0][:, None] + areas[1] - common).clamp(min=1e-9)


def suppress(boxes: Tensor, scores: Tensor) -> Tensor:
    """Which boxes stay when each takes away those of lower score that overlap it too much; best first."""
    order = scores.argsort(descending=True)
    overlap = overlaps(boxes[order], boxes[order]) > MAX_OVERLAP
    stays = torch.ones(len(order), dtype=torch.bool)
    for number in range(len(order)):
        if stays[number]:
            stays[number + 1 :] &= ~overlap[number, number + 1 :]
    return order[stays]


def detections(outputs: Tensor) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Of each sample the boxes, scores and classes that stay; answers [sample, 5 + classes, row, column]."""
    likely, number = outputs[:, 5:].softmax(1).max(1)
    scores = outputs[:, 0].sigmoid() * likely
    boxes = decode(torch.cat([outputs[:, 1:3].sigmoid(), outputs[:, 3:5]], 1))
    found = []
    for sample in range(len(outputs)):
        here = scores[sample] > MIN_SCORE
        box, score, kind = boxes[sample][here], scores[sample][here], number[sample][here]
        apart = box + 1e4 * kind[:, None]  # boxes of different classes never overlap
        chosen = suppress(apart, score)
        found.append((box[chosen], score[chosen], kind[chosen]))
    return found


def mean_average_precision(outputs: Tensor, true: Tensor) -> float:
    """mAP at an overlap of one half: the area under precision over recall (all points), mean over classes there are.

    true: [sample, box, (left, top, right, bottom, class)] in pixels; below class 0 there is no box.
    """
    found, kinds_there = detections(outputs), true[..., 4]
    precisions = []
    for kind in kinds_there[kinds_there >= 0].unique().tolist():
        is_true = kinds_there == kind
        hits, scores = [], []
        for sample, (boxes, score, kinds) in enumerate(found):
            here = kinds == kind
            hits.append(_hits(boxes[here], true[sample, is_true[sample], :4]))
            scores.append(score[here])
        order = torch.cat(scores).argsort(descending=True, stable=True)
        precisions.append(_average_precision(torch.cat(hits)[order], int(is_true.sum())))
    return sum(precisions) / max(len(precisions), 1)


def _hits(boxes: Tensor, true: Tensor) -> Tensor:
    """Which boxes, best first, are the first to meet a true one."""
    hits = torch.zeros(len(boxes), dtype=torch.bool)
    if not len(true):
        return hits
    free = torch.ones(len(true), dtype=torch.bool)
    for number, row in enumerate(overlaps(boxes, true)):
        best = int((row * free).argmax())
        if row[best] * free[best] >= MATCH:
            hits[number], free[best] = True, False
    return hits


def _average_precision(hits: Tensor, num_true: int) -> float:
    """The area under the precision that is reached at each recall or beyond."""
    if not len(hits):
        return 0.0
    right = hits.double().cumsum(0)
    precision = right / torch.arange(1, len(hits) + 1)
    best = precision.flip(0).cummax(0).values.flip(0)
    return float((best * hits).sum() / max(num_true, 1))
