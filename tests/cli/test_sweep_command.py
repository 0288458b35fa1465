"""`crossloom sweep`: searches, goes on where it was stopped, shows what a store has, and refuses what cannot be."""

import json
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import pytest

from crossloom.cli import candidate
from crossloom.search import Study

SPACE = """
model = "tiny_models:make_net"
system = "tsinghua_c200"
data = "{data}"
images = 16
samples = 16
sampler = "random"
budget = {{points = 4}}
{more}
[knobs]
quant.weight_bits = [3, 4, 6]
mapping.copies = {{low = 1, high = 3}}
"""


@pytest.fixture
def space(tiny: Path) -> Callable[..., Path]:
    """Writes space.toml with further lines."""

    def write(more: str = "", knobs: str = "") -> Path:
        Path("space.toml").write_text(SPACE.format(data=tiny, more=more) + knobs)
        return Path("space.toml")

    return write


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[dict]:
    """The objective gives figures at once; what it was asked is kept."""
    asked: list[dict] = []

    def judge(values, fidelity: float = 1.0, *, settings: str) -> dict[str, float]:
        asked.append(dict(values))
        return {"accuracy": values["quant.weight_bits"] / 10, "energy": 1e-6 * values["mapping.copies"]}

    judge.__qualname__ = "judge"
    monkeypatch.setattr(candidate, "judge", judge)
    return asked


def test_a_search_runs_its_points_for_real(crossloom, space) -> None:
    path = space("chips = 2\ngoals = ['accuracy', 'energy', 'num_macros']")
    answer = crossloom("sweep", path, "--points", 2, "-o", "space.json")
    assert answer.code == 0, answer.err
    assert "store: space.sqlite\nreport: space.json" in answer.out
    facts = json.loads(Path("space.json").read_text())
    assert facts["counts"]["done"] == 2
    for point in facts["points"]:
        assert 0 <= point["values"]["accuracy"] <= 1
        assert point["values"]["energy"] > 0
        assert point["errors"].keys() == {"accuracy", "energy", "num_macros"}


def test_the_example_is_a_file_that_a_search_takes(crossloom, calls, tiny: Path) -> None:
    answer = crossloom("sweep", "--example")
    assert answer.code == 0
    text = answer.out.replace("resnet32.onnx", "tiny_models:make_net").replace('"cifar10"', f'"{tiny}"')
    Path("bits.toml").write_text(text)
    answer = crossloom("sweep", "bits.toml", "--points", 3, "-o", "bits.json")
    assert answer.code == 0, answer.err
    assert len(calls) == 3


def test_more_points_go_on_from_the_store(crossloom, space, calls) -> None:
    space()
    assert crossloom("sweep", "space.toml", "-o", "a.txt").code == 0
    assert len(calls) == 4
    answer = crossloom("sweep", "space.toml", "--points", 6, "-o", "b.xloom")
    assert answer.code == 0, answer.err
    assert len(calls) == 6
    assert len({json.dumps(values) for values in calls}) == 6
    assert len(Study.load("b.xloom").points) == 6


def test_an_interrupt_says_what_is_kept_and_the_same_command_goes_on(
    crossloom, space, calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick, is_stopped = candidate.judge, [True]

    def judge(values, fidelity: float = 1.0, *, settings: str) -> dict[str, float]:
        if len(calls) == 2 and is_stopped[0]:
            raise KeyboardInterrupt
        return quick(values, fidelity, settings=settings)

    judge.__qualname__ = "judge"
    monkeypatch.setattr(candidate, "judge", judge)
    answer = crossloom("sweep", space())
    assert answer.code == 130
    kept, stopped = answer.err.splitlines()
    assert "2 points, kept in space.sqlite; the same command goes on" in kept
    assert stopped == "interrupted; nothing half-written"
    assert not Path("space.html").exists()
    is_stopped[0] = False
    assert crossloom("sweep", "space.toml").code == 0
    assert len(calls) == 4
    assert Path("space.html").is_file()


def test_show_reports_by_file_store_and_study_and_runs_nothing(crossloom, space, calls) -> None:
    assert crossloom("sweep", space(), "-o", "space.xloom").code == 0
    texts = []
    for source in ("space.toml", "space.sqlite", "space.xloom"):
        answer = crossloom("sweep", "--show", source, "-o", "shown.txt")
        assert answer.code == 0, answer.err
        texts.append(Path("shown.txt").read_text())
    assert texts[0] == texts[1] == texts[2]
    assert "4 points: 4 done" in texts[0]
    assert len(calls) == 4


def test_a_point_that_fails_is_reported_and_the_rest_goes_on(crossloom, space, monkeypatch) -> None:
    def judge(values, fidelity: float = 1.0, *, settings: str) -> dict[str, float]:
        if values["mapping.copies"] == 2:
            raise ArithmeticError("no such luck")
        return {"accuracy": 0.5}

    judge.__qualname__ = "judge"
    monkeypatch.setattr(candidate, "judge", judge)
    space("name = 'all'")
    Path("space.toml").write_text(Path("space.toml").read_text().replace('"random"', '"grid"'))
    answer = crossloom("sweep", "space.toml", "--points", 9)
    assert answer.code == 0, answer.err
    assert "6 done, 3 failed" in answer.out
    assert "ArithmeticError: no such luck" in answer.out
    assert "Traceback" in Path("all.html").read_text()


@pytest.mark.parametrize(
    ("more", "knobs", "said"),
    [
        ("", "quant.weight_bitz = [3, 4]", "weight_bitz is no field here; did you mean weight_bits"),
        ("", "system.chip.core.macro.readout.bitz = [3, 4]", "bitz is no field here; did you mean bits"),
        ("", "mapping.row_copies = {low = 4, high = 1}", "wants low <= high"),
        ("", "mapping.row_copies = []", "wants at least one option"),
        ("", "mapping.row_copies = {low = 0, high = -1}", "mapping.row_copies"),
        ("", "mapping.row_copies = [100, 200]", "row_copies"),
        ("", "mapping.row_copies = 3", "mapping.row_copies"),
        ("budget = 3", "", "cannot be read as TOML"),
        ("seed = -1", "", "seed"),
    ],
)
def test_a_space_that_cannot_be_is_refused_before_any_work(refused, space, calls, more, knobs, said) -> None:
    space(more, knobs)
    assert said in refused("sweep", "space.toml")
    assert calls == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"random"', '"randon"', "did you mean random"),
        ('"random"', '{kind = "sobol", points = 3}', "sampler.points is no choice of sobol"),
        ('"random"', "{}", "kind is missing"),
        (
            '"random"',
            '{kind = "tpe", num_initial = "many"}',
            "sampler.num_initial: Input should be a valid integer",
        ),
        ('"random"', '{kind = "continuous_fidelity", lowest = 2.0}', "lowest fidelity wants to be in (0, 1]"),
        ('"random"', '{kind = "continuous_fidelity", exact = ["acuracy"]}', "did you mean accuracy"),
        ("points = 4", "point = 4", "did you mean points"),
        ("points = 4", "", "wants points, seconds or cost"),
        ("make_net", "make_text", "returns an nn.Module"),
        ("tsinghua_c200", "tsinghua", "did you mean"),
        ("images", "goals = ['energy', 'acuracy']\nimages", "did you mean accuracy"),
    ],
)
def test_other_choices_that_cannot_be(refused, space, calls, old, new, said) -> None:
    path = space()
    path.write_text(path.read_text().replace(old, new))
    assert said in refused("sweep", path)
    assert calls == []


def test_accuracy_wants_labels(refused, space) -> None:
    import numpy as np

    np.savez("bare.npz", inputs=np.zeros((40, 8), np.float32))
    path = space()
    lines = [
        "data = 'bare.npz'" if line.startswith("data") else line for line in path.read_text().splitlines()
    ]
    path.write_text("\n".join(lines))
    assert "has no labels: seek agreement" in refused("sweep", path)


def test_a_store_of_another_search_is_left_alone(crossloom, space, calls) -> None:
    assert crossloom("sweep", space()).code == 0
    kept = Path("space.sqlite").read_bytes()
    space("chips = 2")
    answer = crossloom("sweep", "space.toml")
    assert answer.code == 2
    assert "holds another study 'space'" in answer.err
    assert len(answer.err.splitlines()) == 1
    assert len(Study.from_store("space.sqlite").points) == 4
    assert Path("space.sqlite").read_bytes()[:16] == kept[:16]


def test_a_file_that_has_changed_makes_another_search(crossloom, space, calls) -> None:
    """The system is a file of the user's own, whose name stays as it is."""
    path, system = space(), Path("mine.toml")
    path.write_text(path.read_text().replace('"tsinghua_c200"', '"mine.toml"'))
    system.write_text(files("crossloom.spec").joinpath("presets", "tsinghua_c200.toml").read_text())
    assert crossloom("sweep", path).code == 0
    assert crossloom("sweep", path).code == 0
    system.write_text(f"{system.read_text()}\n# an afterthought\n")
    answer = crossloom("sweep", path)
    assert answer.code == 2
    assert "holds another study 'space'" in answer.err


def test_what_is_shown_must_be_there(refused) -> None:
    assert "absent.sqlite" in refused("sweep", "--show", "absent.sqlite")
    assert "absent.xloom" in refused("sweep", "--show", "absent.xloom")
    assert "there is no file absent.toml" in refused("sweep", "absent.toml")
    Path("other.sqlite").write_text("no store")
    assert "other.sqlite" in refused("sweep", "--show", "other.sqlite")


def test_a_search_at_continuous_fidelity_answers_fewer_images_first(crossloom, space) -> None:
    path = space("chips = 1")
    sampler = '{kind = "continuous_fidelity", lowest = 0.25, levels = [0.25, 0.5]}'
    path.write_text(path.read_text().replace('"random"', sampler).replace("images = 16", "images = 64"))
    answer = crossloom("sweep", path, "--points", 2, "-o", "space.xloom")
    assert answer.code == 0, answer.err
    first, second = Study.load("space.xloom").points
    assert (first.fidelity, second.fidelity) == (0.25, 0.5)
    assert (16 * first.outcome.values["accuracy"]).is_integer()


@pytest.mark.slow
def test_two_workers_run_the_points_in_processes_of_their_own(crossloom, space) -> None:
    answer = crossloom("sweep", space(), "--workers", 2, "-o", "space.json")
    assert answer.code == 0, answer.err
    assert json.loads(Path("space.json").read_text())["counts"]["done"] == 4
