"""Readers of the six models' recipes, on files made here."""

import pytest
import torch
from PIL import Image, ImageDraw

from crossloom.errors import DataError
from recipes.six_models import detector, lstm, unet
from recipes.six_models.boxes import decode
from recipes.six_models.running import TASKS, find_data


def write_questions(folder) -> None:
    (folder / "text_trec").mkdir()
    train = "0 What is a memristor ?\n1 Who is a physicist in 1971 ?\n"
    (folder / "text_trec" / "TREC.train.all").write_text(train)
    (folder / "text_trec" / "TREC.test.all").write_text("1 Who is a Zebra in 1980 ?\n\n")


def write_tiles(folder) -> None:
    for kind in unet.KINDS:
        place = folder / "defects_magnetic_tile" / f"MT_{kind}" / "Imgs"
        place.mkdir(parents=True)
        for number in range(5):
            picture = Image.new("L", (200, 300), 40)
            ImageDraw.Draw(picture).rectangle((100, 0, 200, 300), fill=200)
            picture.save(place / f"{number}.jpg")
            picture.point(lambda value: 255 * (value > 100)).save(place / f"{number}.png")


def write_board(folder, box=(100, 40, 160, 70)) -> None:
    """One pair in each list, with one defect that is not symmetric in any way."""
    root = folder / "defects_deeppcb" / "PCBData"
    for part, name in (("trainval.txt", "train"), ("test.txt", "test")):
        (root / name).mkdir(parents=True)
        template = Image.new("L", (640, 640), 255)
        template.save(root / name / f"{name}_temp.jpg")
        ImageDraw.Draw(template).rectangle(box, fill=0)
        template.save(root / name / f"{name}_test.jpg")
        (root / name / f"{name}.txt").write_text(",".join(map(str, (*box, 4))) + "\n")
        absent = "gone/gone.jpg gone/gone.txt\n"
        (root / part).write_text(f"{absent}{name}/{name}.jpg {name}/{name}.txt\n")


def test_words_have_numbers_by_how_common_they_are_in_training(tmp_path):
    write_questions(tmp_path)
    train, test = lstm.load(tmp_path, "train"), lstm.load(tmp_path, "test")
    assert train.inputs.shape == (2, lstm.LENGTH)
    assert train.targets.tolist() == [0, 1]
    shared = train.inputs[0, 1]  # "is", which both questions have
    assert shared == train.inputs[1, 1] == test.inputs[0, 1]
    assert test.inputs[0, 3] == lstm.UNKNOWN
    assert test.inputs[0, 5] == train.inputs[1, 5]  # figures are all alike
    assert (test.inputs[0, 7:] == lstm.PADDING).all()


def test_a_fifth_of_each_kind_of_tile_tests(tmp_path):
    write_tiles(tmp_path)
    train, test = unet.load(tmp_path, "train"), unet.load(tmp_path, "test")
    assert (len(train), len(test)) == (8 * 24, 6)
    assert test.inputs.mean((2, 3)).abs().max() < 1e-5
    assert test.targets[0, 0, :, 48:].all()
    assert not test.targets[0, 0, :, :47].any()
    above = train.inputs > 0
    assert (above == (train.targets > 0)).double().mean() > 0.98  # images and masks are laid alike


def test_boxes_lie_where_the_defect_is_however_a_board_is_laid(tmp_path):
    write_board(tmp_path)
    train, test = detector.load(tmp_path, "train"), detector.load(tmp_path, "test")
    assert (len(train), len(test)) == (8 * 16, 4)
    classes = test.targets[..., 4]
    assert classes[classes >= 0].tolist() == [3]
    whole = 0
    for pair, target in zip(train.inputs, train.targets, strict=True):
        for box in decode(target[None, 1:5])[0][target[0] > 0].tolist():
            rows, columns = (pair[1] < -0.5).nonzero().T
            painted = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            clipped = [min(max(edge, 0), detector.CROP) for edge in box]
            assert clipped == pytest.approx([float(edge) for edge in painted], abs=1.5)
            whole += 1
    assert whole >= 8


@pytest.mark.parametrize("name", ["lstm", "unet", "detector"])
def test_missing_data_are_said(tmp_path, name):
    with pytest.raises(DataError, match=r"TREC|MT_|PCBData|jpg"):
        find_data((tmp_path,), name)


def test_the_first_folder_that_holds_the_data_is_taken(tmp_path):
    (tmp_path / "empty").mkdir()
    write_questions(tmp_path)
    assert find_data((tmp_path / "empty", tmp_path), "lstm") == tmp_path


def test_there_are_six_of_four_tasks():
    assert len(TASKS) == 6
    assert {task.metric for task in TASKS.values()} == {"accuracy", "mean IoU", "mAP@0.5"}
    for task in TASKS.values():
        assert (task.schedule is None) == (task.pretrained is not None)


def test_networks_answer_in_the_form_that_their_losses_take(tmp_path):
    write_questions(tmp_path)
    write_tiles(tmp_path)
    write_board(tmp_path)
    for name in ("lstm", "unet", "detector"):
        task, some = TASKS[name], TASKS[name].load(tmp_path, "train").first(2)
        torch.manual_seed(0)
        loss = task.loss(task.build().train()(some.inputs), some.targets)
        loss.backward()
        assert torch.isfinite(loss)
