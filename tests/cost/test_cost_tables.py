"""Component tables: every number has a source, and users' own tables replace ours."""

import tomllib

import pytest
from small_costs_of_parts import INPUTS, round_placement, round_system, round_table

import crossloom as xl
from crossloom.backends import SimulatedBackend
from crossloom.cost import COMPONENTS, Amount, ComponentTable, account, estimate, list_tables, load_table
from crossloom.errors import ConfigError, DataError, SpecError
from crossloom.programming import program
from crossloom.runtime import run
from crossloom.spec import load_system
from flows import MACRO, normal, place_graph
from small_graphs import chain_graph, diamond_graph

OWN = """
name = "mine"
description = "a table of my own"
node = 65e-9

[adc]
kind = "walden"
figure_of_merit = { typical = 2e-14, low = 1e-14, high = 5e-14 }

[parts.driver]
component = "dac"
action = "drive"
energy = 1e-12
"""

EXTRA = {"action": "cycle", "energy": 1e-9}


def write(tmp_path, text: str):
    path = tmp_path / "mine.toml"
    path.write_text(text, "utf-8")
    return path


@pytest.mark.parametrize("name", ["generic", "hermes", "isaac", "neurram", "puma", "tsinghua_c200"])
def test_every_number_of_a_table_has_a_source(name):
    table = load_table(name)
    assert name in list_tables()
    paths = list(_numbers(table.model_dump(exclude_none=True, exclude_defaults=True)))
    assert len(paths) > 10
    for path in paths:
        assert any(path == source or path.startswith(f"{source}.") for source in table.sources), path


def _numbers(fields: dict, prefix: str = ""):
    """The dotted paths of all numbers."""
    for name, value in fields.items():
        if isinstance(value, dict) and name != "sources":
            yield from _numbers(value, f"{prefix}{name}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield f"{prefix}{name}"


def test_a_table_of_ones_own_replaces_ours(tmp_path):
    path = write(tmp_path, OWN)
    report = estimate(round_placement(), path, INPUTS)
    assert report.table == "mine"
    energies = {part.component: part.energy for part in report.parts if part.layer == "layer"}
    assert energies["dac"] == pytest.approx(5e-12)
    assert energies["adc"] == pytest.approx(6 * 2e-14 * 2**4)
    assert energies["link"] == 0


def test_what_a_table_is_based_on_fills_it_up_scaled(tmp_path):
    path = write(tmp_path, OWN.replace("node = 65e-9", 'node = 65e-9\nbased_on = "generic"'))
    table, base = load_table(path), load_table("generic")
    assert table.parts["driver"].energy == Amount(typical=1e-12)
    scaled = base.scaled(65e-9)
    assert table.parts["shift_and_add"] == scaled.parts["shift_and_add"]
    assert table.parts["shift_and_add"].energy.typical > base.parts["shift_and_add"].energy.typical
    assert "scaled from 45 to 65 nm" in table.sources["parts.shift_and_add"]
    assert any("mine gives no" in note and "shift_and_add" in note for note in table.notes)
    assert table.adc.kind == "walden"
    assert table.adc.step_time is None  # a converter of one's own is taken as it is


def test_ranges_go_through_to_the_report(tmp_path):
    report = estimate(round_placement(), write(tmp_path, OWN), INPUTS)
    adc = next(part for part in report.parts if part.component == "adc")
    assert adc.energy_low == pytest.approx(adc.energy / 2)
    assert adc.energy_high == pytest.approx(adc.energy * 2.5)


def test_a_system_without_a_table_takes_the_generic_one_and_says_so():
    report = estimate(round_placement(), None, INPUTS)
    assert report.table == "generic"
    assert report.notes[0] == "there is no component table of ideal: the generic one is taken"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("node", "nodes"), r"ComponentTable: node is missing; nodes is no field here; did you mean node"),
        (
            ("figure_of_merit =", "figure_of_merits ="),
            r"figure_of_merits is no field here; did you mean fig",
        ),
        (('component = "dac"', 'component = "dacs"'), r"parts.driver.component: .*got 'dacs'"),
        (("energy = 1e-12", "energy = -1e-12"), r"parts.driver.energy.*greater than or equal to 0.*-1e-12"),
        (('action = "drive"\n', ""), r"parts.driver: energy and action need each other"),
        (("energy = 1e-12", "energy = 1e-12\narea = 1e-12"), r"power and area need per"),
        (("low = 1e-14", "low = 3e-14"), r"need low <= typical <= high, got 3e-14, 2e-14 and 5e-14"),
        (
            ("node = 65e-9", 'node = 65e-9\nbased_on = "genric"'),
            r"is called 'genric'; did you mean gen",
        ),
        (('"walden"', '"flash"'), r"adc: .*'flash'.*walden"),
        (('kind = "walden"', ""), r"ComponentTable: adc.kind is missing"),
        (
            ("energy = 1e-12", "energy = true"),
            r"parts.driver.energy: need a number, or \{ typical = .*got True",
        ),
        (("65e-9", "65"), r"node: Input should be less than 0.0001, got 65"),
    ],
)
def test_what_is_wrong_in_a_table_is_said_in_one_line(tmp_path, change, message):
    with pytest.raises(SpecError, match=message) as error:
        load_table(write(tmp_path, OWN.replace(*change)))
    assert "\n" not in str(error.value)


def test_tables_that_are_not_there_are_named(tmp_path):
    with pytest.raises(SpecError, match="no component table is called 'issac'; did you mean isaac"):
        load_table("issac")
    with pytest.raises(SpecError, match=r"there is no file .*none.toml; give a component table \(generic"):
        load_table(tmp_path / "none.toml")
    with pytest.raises(SpecError, match="cannot be read as TOML"):
        load_table(write(tmp_path, "name = "))


def test_a_circle_of_tables_is_refused(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(f'name = "mine"\ndescription = ""\nnode = 65e-9\nbased_on = "{path}"\n', "utf-8")
    with pytest.raises(SpecError, match="based_on goes in a circle"):
        load_table(path)


def test_wrong_arguments_are_refused_before_any_work():
    placement = round_placement()
    with pytest.raises(ConfigError, match="need a Placement, got SystemSpec"):
        estimate(round_system())
    with pytest.raises(ConfigError, match="need a ComponentTable, its name or the path"):
        estimate(placement, {})
    with pytest.raises(DataError, match="inputs are empty"):
        estimate(placement, None, INPUTS[:0])
    with pytest.raises(DataError, match="inputs must be a tensor, or a tuple of tensors, got list"):
        estimate(placement, None, [1.0])
    two = place_graph(diamond_graph(normal(4, 2), normal(4, 3)), (INPUTS, normal(2, 3)), load_system("ideal"))
    with pytest.raises(DataError, match=r"same number of samples, got \[2, 1\]"):
        estimate(two, None, (INPUTS, normal(1, 3)))
    with pytest.raises(DataError):
        estimate(placement, None, normal(3, 5))


def test_results_of_other_chips_are_refused():
    chips = program(round_placement(), SimulatedBackend(round_system()))
    result = run(chips, INPUTS)
    inputs = normal(5, 8)
    other = place_graph(chain_graph(normal(6, 8), normal(3, 6)), inputs, load_system("ideal"))
    others = program(other, SimulatedBackend(other.system))
    with pytest.raises(DataError, match="layers that these chips do not hold"):
        account(chips, run(others, inputs), round_table())
    with pytest.raises(ConfigError, match="need ProgrammedChips, got Placement"):
        account(other, result)
    with pytest.raises(ConfigError, match="need a RunResult, got Tensor"):
        account(chips, INPUTS)


def test_old_results_without_activity_say_what_to_do():
    from dataclasses import replace

    chips = program(round_placement(), SimulatedBackend(round_system()))
    with pytest.raises(DataError, match=r"kept no activity of its rows.*run again"):
        account(chips, replace(run(chips, INPUTS), activity={}), round_table())


def test_the_front_door_has_the_verbs():
    assert xl.estimate is estimate
    assert xl.account is account
    assert xl.load_table is load_table
    assert "isaac" in xl.list_tables()
    assert xl.ComponentTable is ComponentTable


def test_a_table_travels_as_toml_and_back():
    plain = load_table("isaac").model_dump(exclude_none=True)
    assert ComponentTable.parse(plain) == load_table("isaac")
    assert tomllib.loads(OWN)["name"] == "mine"


@pytest.mark.parametrize("component", COMPONENTS)
def test_no_energy_of_a_table_is_lost(component):
    parts = {**round_table().model_dump()["parts"], "extra": EXTRA | {"component": component}}
    energies = {
        name: estimate(round_placement(), table, INPUTS).energy_by_component.get(component, 0.0)
        for name, table in (("without", round_table()), ("with", round_table(parts=parts)))
    }
    if component == "integrator":  # what the table says takes the place of C V²
        energies["without"] = 0.0
    assert energies["with"] - energies["without"] == pytest.approx(3e-9)  # 3 cycles a sample


def test_an_integrator_of_a_fallback_takes_what_the_system_says():
    parts = {"extra": EXTRA | {"component": "integrator", "is_fallback": True}}
    report = estimate(round_placement(), round_table(parts=parts), INPUTS)
    assert report.energy_by_component["integrator"] == pytest.approx(6e-12)  # 6 times 1 pF (1 V)²
    with pytest.raises(SpecError, match="is_fallback is for integrators alone"):
        round_table(parts={"extra": EXTRA | {"component": "dac", "is_fallback": True}})


def test_what_the_system_says_of_its_links_comes_before_the_table():
    system = round_system(link={"energy_per_bit": 5e-11})
    report = estimate(round_placement(system), round_table(), INPUTS)
    assert report.energy_by_component["link"] == pytest.approx(72 * 5e-11)


def test_a_table_is_based_on_the_file_beside_it(tmp_path):
    base = OWN.replace('"mine"', '"base"')
    (tmp_path / "base.toml").write_text(base, "utf-8")
    path = write(tmp_path, 'name = "mine"\ndescription = ""\nnode = 65e-9\nbased_on = "base.toml"\n')
    assert load_table(path).parts["driver"].energy.typical == 1e-12
    (tmp_path / "base.toml").write_text(
        base.replace("node = 65e-9", f'node = 65e-9\nbased_on = "../{tmp_path.name}/mine.toml"')
    )
    with pytest.raises(SpecError, match="based_on goes in a circle"):
        load_table(path)


def test_times_that_nobody_knows_are_said(tmp_path):
    placement = place_graph(chain_graph(normal(6, 8)), normal(5, 8), load_system("neurram"))
    notes = estimate(placement, write(tmp_path, OWN)).notes
    assert "no time of a read is known: it takes none here" in notes
    assert "no time of a conversion is known: it takes none here" in notes


def test_results_of_the_same_layers_in_other_tiles_are_refused():
    inputs, graph = normal(5, 40), chain_graph(normal(6, 40), normal(3, 6))
    chips = {}
    for rows in (64, 16):
        system = load_system("ideal", {f"{MACRO}.crossbar.num_rows": rows})
        chips[rows] = program(place_graph(graph, inputs, system), SimulatedBackend(system))
    result = run(chips[64], inputs)
    assert account(chips[64], result, round_table()).num_samples == 5
    with pytest.raises(
        DataError, match="counted layer1 in other tiles or with other inputs than these chips"
    ):
        account(chips[16], result, round_table())


def test_a_run_that_stopped_early_tells_no_samples_cost():
    inputs = normal(5, 8)
    placement = place_graph(chain_graph(normal(6, 8), normal(3, 6)), inputs, load_system("ideal"))
    chips = program(placement, SimulatedBackend(placement.system))
    with pytest.raises(DataError, match="this run stopped before layer2"):
        account(chips, run(chips, inputs, stop_at="layer1"), round_table())
