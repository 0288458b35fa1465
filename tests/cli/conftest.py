"""One tiny model in every form, tiny data, and one finished run, shared by the tests of the command line."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from crossloom.cli import main

HERE = Path(__file__).parent
MODEL = "tiny_models:make_net"


@dataclass(frozen=True)
class Answer:
    """What one command said."""

    code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test works in a folder of its own, without data from outside."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CROSSLOOM_DATA", raising=False)
    monkeypatch.syspath_prepend(HERE)


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """Tiny products only wait for each other on several threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def crossloom(capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """Runs a command in this process."""

    def call(*args: object) -> Answer:
        code = main([str(arg) for arg in args])
        said = capsys.readouterr()
        return Answer(code, said.out, said.err)

    return call


@pytest.fixture
def refused(crossloom) -> Callable[..., str]:
    """Runs a command that must refuse, and gives its one line."""

    def call(*args: object) -> str:
        before = set(Path.cwd().rglob("*"))
        answer = crossloom(*args)
        lines = [line for line in answer.err.splitlines() if not line.startswith("note: ")]
        assert (answer.code, len(lines)) == (2, 1), answer.err
        assert lines[0].startswith("error: ")
        assert set(Path.cwd().rglob("*")) == before
        return lines[0]

    return call


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with train.npz and test.npz: inputs [sample, 8], labels as the model itself would give them."""
    sys.path.insert(0, str(HERE))
    from tiny_models import make_net

    folder = tmp_path_factory.mktemp("tiny")
    for seed, (split, size) in enumerate((("train", 64), ("test", 32))):
        inputs = np.random.default_rng(seed).normal(size=(size, 8)).astype(np.float32)
        labels = make_net()(torch.from_numpy(inputs)).argmax(1).numpy()
        np.savez(folder / f"{split}.npz", inputs=inputs, labels=labels)
    sys.path.remove(str(HERE))
    return folder


@pytest.fixture(scope="session")
def finished(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of one run from end to end."""
    folder = tmp_path_factory.mktemp("finished")
    sys.path.insert(0, str(HERE))
    code = main(["run", MODEL, "--system", "tsinghua_c200", "--data", str(tiny), "-o", str(folder)])
    sys.path.remove(str(HERE))
    assert code == 0
    return folder
