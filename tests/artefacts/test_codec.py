"""Values become JSON and tensors, and values again."""

import json
from dataclasses import dataclass

import pytest
import torch

from crossloom.artefacts import saved
from crossloom.artefacts.codec import Encoder, decoder
from crossloom.errors import ArtefactError


def through(value):
    encoder = Encoder()
    text = json.dumps(encoder.encode(value), allow_nan=False)
    return decoder(encoder.tensors)(json.loads(text))


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        3,
        -0.1,
        1e-300,
        float("inf"),
        float("-inf"),
        "text",
        "$tensor",
        (1, (2, "a"), None),
        {"a": 1, "$tensor": 2},
        {1: "a", (1, 2): "b"},
        {},
        (),
    ],
)
def test_plain_values_come_back_as_they_were(value):
    assert through(value) == value
    assert type(through(value)) is type(value)


def test_lists_come_back_as_tuples():
    assert through([1, [2]]) == (1, (2,))


def test_not_a_number_comes_back_as_such():
    assert through(float("nan")) != through(float("nan"))


@pytest.mark.parametrize(
    "tensor",
    [
        torch.zeros(()),
        torch.zeros(0, 3),
        torch.ones(2, 3, dtype=torch.float64).T,
        torch.arange(6).view(2, 3)[:, ::2],
        torch.tensor([True, False]),
        torch.tensor([1, -2], dtype=torch.int16),
        torch.tensor([1.5, float("nan")]).half(),
        torch.ones(3, requires_grad=True),
        torch.ones(4).expand(2, 4),
    ],
    ids=str,
)
def test_tensors_of_every_shape_and_type_come_back(tensor):
    found = through(tensor)
    assert (found.shape, found.dtype) == (tensor.shape, tensor.dtype)
    assert torch.equal(found.nan_to_num(), tensor.detach().nan_to_num())


def test_a_tensor_that_comes_twice_is_kept_once():
    tensor, encoder = torch.ones(3), Encoder()
    encoder.encode((tensor, tensor, tensor.clone()))
    assert len(encoder.tensors) == 2


def test_tensors_that_live_only_for_a_moment_are_told_apart():
    @saved
    @dataclass(frozen=True)
    class _Fleeting:
        number: int

        @property
        def tensor(self):
            return torch.full((2,), float(self.number))

    encoder = Encoder()
    names = [encoder.encode(_Fleeting(number).tensor)["$tensor"] for number in range(20)]
    assert len(set(names)) == 20
    assert all(encoder.tensors[name][0].item() == number for number, name in enumerate(names))


def test_a_class_that_was_not_marked_cannot_be_saved():
    @dataclass(frozen=True)
    class Unmarked:
        number: int = 1

    with pytest.raises(ArtefactError, match="a Unmarked cannot be saved"):
        through(Unmarked())
    with pytest.raises(ArtefactError, match="a set cannot be saved"):
        through({1, 2})


def test_a_class_that_nobody_marked_is_never_made():
    with pytest.raises(ArtefactError, match="does not know"):
        decoder({})({"$type": "Popen", "fields": {"args": "true"}})


def test_two_classes_of_one_name_are_refused():
    class Twin:
        pass

    first = Twin

    class Twin:
        pass

    saved(first)
    with pytest.raises(ArtefactError, match="two classes are called Twin"):
        saved(Twin)
