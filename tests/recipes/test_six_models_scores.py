"""Scores of the six models' recipes: boxes, their mean average precision, and intersection over union."""

import pytest
import torch

from recipes.six_models.boxes import decode, encode, listed, mean_average_precision, overlaps, suppress
from recipes.six_models.unet import loss, mean_iou


def answers(boxes: torch.Tensor, classes: list[int], scores: list[float], grid: int = 20) -> torch.Tensor:
    """What a detector would answer for these boxes, [1, 11, row, column]."""
    target = encode(boxes, torch.tensor(classes), grid)
    given = torch.full((11, grid, grid), -20.0)
    there = target[0] > 0
    given[1:3] = torch.logit(target[1:3].clamp(1e-4, 1 - 1e-4))
    given[3:5] = target[3:5]
    for box, number, score in zip(boxes, classes, scores, strict=True):
        row, column = (int((box[k] + box[k + 2]) / 2 / 8) for k in (1, 0))
        assert there[row, column]
        given[0, row, column] = torch.logit(torch.tensor(score))
        given[5 + number, row, column] = 20.0
    return given.unsqueeze(0)


BOXES = torch.tensor([[10.0, 12.0, 30.0, 40.0], [80.0, 81.0, 99.0, 97.0], [120.0, 20.0, 150.0, 40.0]])


def test_boxes_come_back_from_the_grid():
    target = encode(BOXES, torch.tensor([0, 3, 5]), 20)
    found = decode(target[None, 1:5])[0][target[0] > 0]
    assert target[0].sum() == 3
    torch.testing.assert_close(found[found[:, 0].argsort()], BOXES, atol=1e-4, rtol=0)
    assert encode(torch.tensor([[-30.0, 0.0, 10.0, 20.0]]), torch.tensor([1]), 20).abs().sum() == 0


def test_overlaps_are_shares_of_the_union():
    some = torch.tensor([[0.0, 0.0, 2.0, 2.0]])
    others = torch.tensor([[1.0, 0.0, 3.0, 2.0], [0.0, 0.0, 2.0, 2.0], [5.0, 5.0, 6.0, 6.0]])
    assert overlaps(some, others)[0].tolist() == pytest.approx([1 / 3, 1.0, 0.0])


def test_a_box_takes_away_those_that_overlap_it_and_no_others():
    boxes = torch.tensor([[0.0, 0.0, 10.0, 10.0], [1.0, 0.0, 11.0, 10.0], [8.0, 0.0, 18.0, 10.0]])
    assert suppress(boxes, torch.tensor([0.5, 0.9, 0.1])).tolist() == [1, 2]


def test_perfect_answers_have_a_precision_of_one():
    true = listed(BOXES, torch.tensor([0, 3, 3]), 20).unsqueeze(0)
    assert mean_average_precision(answers(BOXES, [0, 3, 3], [0.9, 0.8, 0.7]), true) == pytest.approx(1.0)


def test_precision_by_hand():
    """Class 0: one box, found. Class 3: two boxes; answers by score: right, wrong place, and the second is missed.

    Average precision 1 and 1/2: precision 1 at recall 1/2, nothing beyond.
    """
    true = listed(BOXES, torch.tensor([0, 3, 3]), 20).unsqueeze(0)
    moved = BOXES.clone()
    moved[2] += torch.tensor([-60.0, 80.0, -60.0, 80.0])
    given = answers(moved, [0, 3, 3], [0.9, 0.8, 0.7])
    assert mean_average_precision(given, true) == pytest.approx((1 + 0.5) / 2)


def test_a_wrong_answer_before_the_right_one_costs_precision():
    """One box of class 3; the answer of higher score lies elsewhere: precision 1/2 at recall 1."""
    true = listed(BOXES[1:2], torch.tensor([3]), 20).unsqueeze(0)
    given = answers(BOXES[1:], [3, 3], [0.6, 0.9])
    assert mean_average_precision(given, true) == pytest.approx(0.5)


def test_a_box_that_is_found_twice_counts_once():
    """Two answers on one box, too far apart to take each other away, then one on the other: right, wrong, right.

    Precision 1 at recall 1/2, and 2/3 at recall 1.
    """
    both = torch.tensor([[40.0, 40.0, 60.0, 60.0], [100.0, 100.0, 120.0, 120.0]])
    true = listed(both, torch.tensor([1, 1]), 20).unsqueeze(0)
    pair = torch.tensor([[40.0, 40.0, 54.0, 60.0], [46.0, 40.0, 60.0, 60.0]])
    given = answers(torch.cat([pair, both[1:]]), [1, 1, 1], [0.9, 0.8, 0.7])
    assert mean_average_precision(given, true) == pytest.approx((1 + 2 / 3) / 2)


def test_boxes_that_share_a_cell_of_the_grid_all_count():
    """Two true boxes around one centre, one answer: half of them is found. An empty sample takes nothing away."""
    pair = torch.tensor([[80.0, 80.0, 100.0, 100.0], [88.0, 62.0, 92.0, 118.0]])
    there = listed(pair, torch.tensor([2, 2]), 20)
    true = torch.stack([there, torch.full_like(there, -1.0)])
    given = answers(pair[:1], [2], [0.9])
    outputs = torch.cat([given, torch.full_like(given, -20.0)])
    assert mean_average_precision(outputs, true) == pytest.approx(0.5)
    assert len(listed(pair - 100.0, torch.tensor([2, 2]), 20)) == 0


def test_mean_iou_by_hand():
    """4 pixels: defect said at 2, true at 2, both at 1: 1/3 for defects and 1/3 for the rest."""
    masks = torch.tensor([[[[1.0, 1.0, 0.0, 0.0]]]])
    outputs = torch.tensor([[[[5.0, -5.0, 5.0, -5.0]]]])
    assert mean_iou(outputs, masks) == pytest.approx(1 / 3)
    assert mean_iou(masks * 2 - 1, masks) == 1.0
    assert loss(20 * (masks * 2 - 1), masks) < 1e-3 < loss(outputs, masks)
