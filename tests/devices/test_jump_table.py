"""Jump tables: what is a distribution, what is none, and cells that jump as one says. Seeds are fixed."""

import numpy as np
import pytest
import torch

from crossloom.devices import FREE, CellState, JumpDistribution, JumpTableDevice
from crossloom.errors import BackendError, SpecError
from crossloom.seeds import derive_generator
from crossloom.spec import CellSpec, Jumps, JumpTable, JumpTableDeviceSpec, PulseSpec
from crossloom.testing import DeviceModelSuite

PULSE = PulseSpec(width=1e-7, step=2e-6, max_width=1e-6)
BINS = (1e-5, 3e-5, 5e-5, 1.1e-4)
POINTS = (0.0, 0.25, 0.5, 1.0)
UP = ((1e-6, 1e-6, 1e-6, 0.0), (2e-6, 2e-6, 1e-6, 0.0), (4e-6, 3e-6, 1e-6, 0.0), (9e-6, 6e-6, 2e-6, 0.0))
DOWN = tuple(tuple(-change for change in row[::-1]) for row in UP[::-1])


def jumps(**fields) -> Jumps:
    return Jumps(**{"conductance": BINS, "probability": POINTS, "change": UP, **fields})


def table() -> JumpTable:
    return JumpTable(increasing=jumps(), decreasing=jumps(change=DOWN))


def make(pulse: PulseSpec | None = PULSE, **fields) -> JumpTableDevice:
    spec = JumpTableDeviceSpec(table=table(), **fields)
    return JumpTableDevice(spec, CellSpec(g_min=1e-5, g_max=1.1e-4, pulse=pulse, device=spec))


def generator(name: str) -> torch.Generator:
    return derive_generator(0, "jumps", name)


def at(model: JumpTableDevice, conductance: float, shape=(200, 200)) -> CellState:
    state = model.deliver(shape, generator("cells"), generator("chip"))
    return state.but(conductance=torch.full(shape, conductance, dtype=torch.float64))


def widths(pulses: float, shape=(200, 200)) -> torch.Tensor:
    return torch.full(shape, pulses * PULSE.width, dtype=torch.float64)


class TestJumpingCells(DeviceModelSuite):
    shape = (60, 60)

    def make(self):
        return make(PULSE.replace(tolerance=3e-6), read_noise=1e-6)


class TestJumpingCellsWithoutPulses(DeviceModelSuite):
    shape = (60, 60)

    def make(self):
        return make(pulse=None)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"change": (*UP[:2], (*UP[1][:1], 1e-6, 1e-6, 0.0), UP[3])},
            r"row 2 \(probability 0.5\) falls by 1e-06 S",
        ),
        ({"change": UP[:3]}, "one row of change per probability: 4, got 3"),
        ({"change": (*UP[:3], UP[3][:2])}, "need 4 changes, one per conductance, in row 3, got 2"),
        ({"change": (*UP[:3], (1e-5, float("nan"), 1.0, 1.0))}, "finite"),
        ({"conductance": (1e-5, 3e-5, 3e-5, 1e-4)}, "need conductance that rises"),
        ({"probability": (0.0, 0.5, 0.25, 1.0)}, "need probability that rises"),
        ({"probability": (0.0, 0.5, 0.75, 1.5)}, "less than or equal to 1"),
        ({"conductance": (-1e-5, 3e-5, 5e-5, 1e-4)}, "greater than or equal to 0"),
        ({"conductance": ()}, "at least 2 items"),
        ({"change": "packed:d:2:nonsense"}, "need a table as rows of numbers"),
    ],
)
def test_what_is_no_distribution_is_refused_with_its_row(fields, message):
    with pytest.raises(SpecError, match=message):
        jumps(**fields)


def test_equal_changes_are_a_distribution_still():
    assert jumps(change=((1e-6,) * 4,) * 4).change[0][0] == 1e-6


def save_npz(path, **changes) -> None:
    arrays = {
        f"{name}_{axis}": np.array(getattr(getattr(table(), name), axis))
        for name in ("increasing", "decreasing")
        for axis in ("conductance", "probability", "change")
    }
    np.savez(path, **{**arrays, **changes})


def save_csv(folder, increasing: str | None = None) -> None:
    folder.mkdir()
    for name in ("increasing", "decreasing"):
        part = getattr(table(), name)
        rows = [part.conductance, part.probability, *part.change]
        text = "".join(",".join(map(str, row)) + "\n" for row in rows)
        (folder / f"dG_{name}.csv").write_text(
            increasing if increasing and name == "increasing" else text, "utf-8"
        )


def test_a_table_is_read_from_npz_and_from_csv(tmp_path):
    save_npz(tmp_path / "table.npz")
    save_csv(tmp_path / "table")
    for path in (tmp_path / "table.npz", tmp_path / "table"):
        assert JumpTable.read(path) == table().replace(source=path.name)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "1e-5,2e-5\n0,1\n1e-6,oops\n2e-6,2e-6\n",
            "dG_increasing.csv: line 3 has something that is no number",
        ),
        ("1e-5,2e-5\n", "need a line of conductances"),
        ("1e-5,2e-5\n0,1\n1e-6,1e-6\n2e-6,0\n", r"increasing: need change .* row 1 \(probability 1\) falls"),
        ("1e-5,2e-5\n0,1\n1e-6,1e-6\n2e-6\n", "in row 1, got 1"),
    ],
)
def test_a_bad_csv_file_is_refused_with_its_line_or_row(tmp_path, text, message):
    save_csv(tmp_path / "table", increasing=text)
    with pytest.raises(SpecError, match=message):
        JumpTable.read(tmp_path / "table")


def test_blank_lines_and_blank_ends_of_lines_in_csv_are_nothing(tmp_path):
    save_csv(tmp_path / "table", increasing="1e-5,2e-5,,\n0,1,,\n1e-6,1e-6\n\n2e-6,2e-6,\n")
    assert JumpTable.read(tmp_path / "table").increasing.change == ((1e-6, 1e-6), (2e-6, 2e-6))


def test_files_that_are_no_tables_are_refused_by_name(tmp_path):
    (tmp_path / "no.npz").write_text("no")
    np.savez(tmp_path / "part.npz", increasing_conductance=np.ones(2))
    np.savez(tmp_path / "objects.npz", **{k: np.array([None]) for k in keys()})
    for name, message in (
        ("absent.npz", "absent.npz cannot be read"),
        ("no.npz", "no.npz cannot be read"),
        ("part.npz", "need arrays increasing_probability"),
        ("objects.npz", "allow_pickle=False"),
        ("table.txt", "need an .npz file, or a folder"),
    ):
        with pytest.raises(SpecError, match=message):
            JumpTable.read(tmp_path / name)


def keys() -> list[str]:
    return [
        f"{n}_{a}" for n in ("increasing", "decreasing") for a in ("conductance", "probability", "change")
    ]


def test_a_table_that_does_not_quite_rise_is_read_on_request_with_its_changes_sorted(tmp_path):
    falling = [[1e-6, 3e-6], [2e-6, 2e-6], [3e-6, 1e-6]]
    save_npz(
        tmp_path / "table.npz",
        increasing_conductance=np.array([1e-5, 2e-5]),
        increasing_probability=np.array([0.0, 0.5, 1.0]),
        increasing_change=np.array(falling),
        decreasing_conductance=np.array([1e-5, 2e-5]),
        decreasing_probability=np.array([0.0, 0.5, 1.0]),
        decreasing_change=-np.array(falling)[::-1],
    )
    with pytest.raises(SpecError, match="rearranged=True"):
        JumpTable.read(tmp_path / "table.npz")
    read = JumpTable.read(tmp_path / "table.npz", rearranged=True)
    assert read.increasing.change == ((1e-6, 1e-6), (2e-6, 2e-6), (3e-6, 3e-6))


def test_a_table_of_uneven_probabilities_cannot_be_rearranged(tmp_path):
    save_npz(tmp_path / "table.npz")
    with pytest.raises(SpecError, match="evenly spaced"):
        JumpTable.read(tmp_path / "table.npz", rearranged=True)


def test_a_path_in_a_specification_becomes_its_numbers(tmp_path):
    save_npz(tmp_path / "table.npz")
    path = str(tmp_path / "table.npz")
    cell = CellSpec.parse(
        {"g_min": 0, "g_max": 1e-4, "device": {"kind": "jump_table", "table": {"path": path}}}
    )
    (tmp_path / "table.npz").unlink()
    again = CellSpec.parse(cell.model_dump(mode="json"))
    assert again == cell
    assert again.device.table.increasing.change == UP
    with pytest.raises(SpecError, match="cannot be read"):
        JumpTableDeviceSpec.parse({"table": {"path": path}})
    with pytest.raises(SpecError, match="path and rearranged alone"):
        JumpTableDeviceSpec.parse({"table": {"path": path, "source": "me"}})


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_large_tables_are_saved_short_and_without_loss(dtype):
    num_bins, num_points = 60, 50
    drawn = np.random.default_rng(0).normal(0, 1e-6, (num_points, num_bins)).astype(dtype)
    large = Jumps(
        conductance=np.linspace(1e-5, 1e-4, num_bins).tolist(),
        probability=np.linspace(0, 1, num_points).tolist(),
        change=np.sort(drawn, 0).tolist(),
    )
    plain = large.model_dump(mode="json")
    assert isinstance(plain["change"], str)
    assert len(plain["change"]) < 1.3 * drawn.nbytes
    assert Jumps.parse(plain) == large


def test_points_and_bins_are_met_and_interpolated_between():
    distribution = JumpDistribution.of(jumps())
    conductance = torch.tensor([1e-5, 3e-5, 2e-5, 2e-5, 1e-6, 1.0], dtype=torch.float64)
    probability = torch.tensor([0.0, 0.25, 0.5, 0.75, 1.0, 1.0], dtype=torch.float64)
    expected = [1e-6, 2e-6, 3.5e-6, (3.5e-6 + 7.5e-6) / 2, 9e-6, 0.0]
    assert distribution.change(conductance, probability).tolist() == pytest.approx(expected, abs=1e-18)


def slow_change(part: Jumps, conductance: float, probability: float) -> float:
    """By numpy, one cell at a time: first the row at the probability, then the place in it."""
    columns = [np.interp(probability, part.probability, column) for column in zip(*part.change, strict=True)]
    return float(np.interp(conductance, part.conductance, columns))


def test_all_cells_at_once_jump_as_they_would_one_by_one():
    drawn = torch.rand(2, 500, generator=generator("where"), dtype=torch.float64)
    conductance, probability = drawn[0] * 1.5e-4, drawn[1]
    for part in (jumps(), jumps(change=DOWN)):
        found = JumpDistribution.of(part).change(conductance, probability)
        expected = [
            slow_change(part, g, p) for g, p in zip(conductance.tolist(), probability.tolist(), strict=True)
        ]
        assert found.tolist() == pytest.approx(expected, rel=1e-12, abs=1e-20)


@pytest.mark.parametrize(("sign", "part"), [(1, jumps()), (-1, jumps(change=DOWN))])
def test_jumps_have_the_distribution_of_the_table(sign, part):
    """40,000 cells at 40 uS, between two bins; the largest distance of distributions at 0.1 % significance."""
    model = make()
    state = at(model, 4e-5)
    change = (model.pulse(state, widths(sign), generator("pulse")).conductance - 4e-5).flatten().sort().values
    quantiles = [slow_change(part, 4e-5, p) for p in POINTS]
    expected = torch.from_numpy(np.interp(change.numpy(), quantiles, POINTS))
    empirical = torch.arange(1, len(change) + 1) / len(change)
    assert (expected - empirical).abs().max() < 1.95 / len(change) ** 0.5


def test_a_pulse_of_n_widths_does_what_n_pulses_do():
    """40,000 cells; means of both within 5 deviations of their difference."""
    model = make()
    state = at(model, 2e-5)
    long = model.pulse(state, widths(4), generator("long")).conductance
    for _ in range(4):
        state = model.pulse(state, widths(1), generator(f"short {_}"))
    spread = (long.var() + state.conductance.var()).sqrt().item()
    assert (long.mean() - state.conductance.mean()).abs().item() < 5 * spread / 200
    assert long.std().item() == pytest.approx(state.conductance.std().item(), rel=0.05)


def test_a_part_of_a_pulse_does_its_part():
    model = make()
    state = at(model, 4e-5)
    whole = model.pulse(state, widths(1), generator("pulse")).conductance - 4e-5
    part = model.pulse(state, widths(0.1), generator("pulse")).conductance - 4e-5
    assert torch.allclose(part, 0.1 * whole, rtol=1e-6, atol=0)


def test_cells_stay_where_the_table_was_measured():
    model = make()
    state = at(model, 1.05e-4)
    low, high = (model.pulse(state, widths(sign * 40), generator("pulse")).conductance for sign in (-1, 1))
    assert low.min() >= BINS[0]
    assert high.max() <= BINS[-1]
    assert at(model, 0.0).shape == state.shape
    wider = JumpTableDevice(model.spec, CellSpec(g_min=0, g_max=1e-3, device=model.spec))
    assert (wider.deliver((2, 2), generator("cells"), generator("chip")).conductance == BINS[0]).all()


def test_set_brings_cells_within_the_published_tolerance():
    """Jumps of up to 9 uS against a tolerance of 2 uS: cells that overshoot come back from the other side."""
    model = make(PULSE.replace(tolerance=2e-6, max_pulses=100))
    target = torch.full((200, 200), 6e-5, dtype=torch.float64)
    state = model.set(at(model, 1e-5), target, generator("set"))
    assert ((state.conductance - target).abs() <= 2e-6).double().mean() > 0.999
    fewer = make(PULSE.replace(tolerance=2e-6, max_pulses=5)).set(at(model, 1e-5), target, generator("set"))
    assert ((fewer.conductance - target).abs() > 2e-6).double().mean() > 0.9


def test_other_voltages_are_refused_until_the_specification_says_what_they_do():
    model, volts = make(), torch.full((200, 200), 1.2)
    with pytest.raises(BackendError, match="voltage_scale"):
        model.pulse(at(model, 4e-5), widths(1), generator("pulse"), volts)
    known = make(PULSE.replace(voltage=1.0, max_voltage=1.5, voltage_scale=0.2))
    stronger = known.pulse(at(known, 2e-5), widths(1), generator("pulse"), volts).conductance
    nominal = known.pulse(at(known, 2e-5), widths(1), generator("pulse")).conductance
    assert stronger.mean() - 2e-5 > 2 * (nominal.mean() - 2e-5)


def test_stuck_cells_do_not_jump():
    model = make()
    state = at(model, 4e-5)
    state = state.but(fault=torch.ones_like(state.fault))
    assert (state.fault != FREE).all()
    assert torch.equal(model.pulse(state, widths(1), generator("pulse")).conductance, state.conductance)
    assert torch.equal(
        model.set(state, 2 * state.conductance, generator("set")).conductance, state.conductance
    )
