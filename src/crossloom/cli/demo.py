"""`crossloom demo`: a small network for handwritten digits, from its training to answers from eight chips.

Everything that it takes is in this file: read it, copy it, put your own network in its place.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from crossloom.errors import MissingDependencyError

if TYPE_CHECKING:
    import torch

    from crossloom.datasets import Dataset
    from crossloom.report import Report

NUM_EPOCHS, BATCH_SIZE, LEARNING_RATE, SEED = 8, 64, 2e-3, 0


def demo(
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Folder of the results.")
    ] = Path("out/demo"),
) -> None:
    """Train a small network on scikit-learn's digits and run it on eight simulated chips.

    Needs scikit-learn (pip install 'crossloom[demo]'), and less than a minute on two cores.
    """
    from crossloom.cli.outputs import check_folder, finish_report

    finish_report(run_demo(check_folder(output)), output)


def run_demo(folder: Path) -> "Report":
    """Train, compile for `tsinghua_c200`, program chips of seed 0, answer the test set; artefacts into `folder`.

    Raises MissingDependencyError without scikit-learn.
    """
    import crossloom as xl

    train, test = load_digits()
    print(f"training a small CNN on {len(train)} digits")
    model = train_network(train)
    print("compiling for tsinghua_c200, programming, running")
    system = xl.load_system("tsinghua_c200")
    placement = xl.compile(model, system, data=train.inputs[:128])
    chips = xl.program(placement, xl.simulate(system, seed=0))
    result = xl.run(chips, test.inputs)
    placement.save(folder / "placement.xloom")
    chips.save(folder / "chips.xloom")
    result.save(folder / "result.xloom")
    return xl.Report(placement, chips, result, labels=test.labels, title="Handwritten digits on eight chips")


def load_digits() -> "tuple[Dataset, Dataset]":
    """Train (1,347) and test (450) images [sample, 1, 8, 8] from 0 to 1, always split alike."""
    try:
        from sklearn import datasets as bundled
    except ImportError:
        raise MissingDependencyError("the demo needs scikit-learn; pip install 'crossloom[demo]'") from None
    import torch

    from crossloom.datasets import Dataset

    pixels, classes = bundled.load_digits(return_X_y=True)
    images = torch.tensor(pixels, dtype=torch.float32).view(-1, 1, 8, 8) / 16
    labels = torch.tensor(classes)
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(SEED))
    train, test = order[:-450], order[-450:]
    return Dataset(images[train], labels[train], "digits train"), Dataset(
        images[test], labels[test], "digits test"
    )


def make_network() -> "torch.nn.Module":
    """Three convolutions and a linear layer, wide enough for four-bit weights: four arrays of the system."""
    from torch import nn

    return nn.Sequential(
        nn.Conv2d(1, 64, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(64, 128, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(128, 128, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(128 * 2 * 2, 10),
    )


def train_network(train: "Dataset") -> "torch.nn.Module":
    """Plain training with Adam; nothing in it knows of chips."""
    import torch

    from crossloom.progress import track

    assert train.labels is not None
    steps = NUM_EPOCHS * -(-len(train) // BATCH_SIZE)
    with torch.random.fork_rng(devices=[]), _one_thread():
        torch.manual_seed(SEED)
        model = make_network()
        optimizer = torch.optim.Adam(model.parameters(), LEARNING_RATE)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps)
        for _ in track(range(NUM_EPOCHS), "training", NUM_EPOCHS):
            for batch in torch.randperm(len(train)).split(BATCH_SIZE):
                loss = torch.nn.functional.cross_entropy(model(train.inputs[batch]), train.labels[batch])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
    return model.eval()


@contextmanager
def _one_thread() -> Iterator[None]:
    """Layers this small gain nothing from a second thread; one gives the same bits however many cores there are,
    and does not wait for cores that others keep busy."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
