"""Files of measurements: units, and what is refused."""

import gzip

import pytest

from crossloom.errors import DataError
from crossloom.fitting import fit_device
from crossloom.fitting.reading import read_table


def write_text(tmp_path, text, name="mine.csv"):
    path = tmp_path / name
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("header", "value", "siemens"),
    [
        ("conductance_S", "2e-5", 2e-5),
        ("conductance_mS", "0.02", 2e-5),
        ("conductance_uS", "20", 2e-5),
        ("conductance_µS", "20", 2e-5),
        ("conductance_nS", "20000", 2e-5),
        ("resistance_ohm", "50000", 2e-5),
        ("resistance_kohm", "50", 2e-5),
        ("resistance_MOhm", "0.05", 2e-5),
    ],
)
def test_conductances_become_siemens(tmp_path, header, value, siemens):
    table = read_table(write_text(tmp_path, f"cell,{header}\n7,{value}\n"))
    assert table.values["conductance"].tolist() == pytest.approx([siemens], rel=1e-12)


def test_targets_may_be_resistances_and_times_have_units(tmp_path):
    table = read_table(write_text(tmp_path, "target_kohm,conductance_uS,elapsed_ms\n50,19,250\n40,26,3600\n"))
    assert table.values["target"].tolist() == pytest.approx([2e-5, 2.5e-5])
    assert table.values["elapsed"].tolist() == pytest.approx([0.25, 3.6])


def test_a_compressed_file_with_comments_reads_like_a_plain_one(tmp_path):
    text = "# made by hand\ncell, conductance_uS\nr1c2, 20\n# a pause\nr1c3, 30\n"
    plain = read_table(write_text(tmp_path, text))
    packed = tmp_path / "mine.csv.gz"
    packed.write_bytes(gzip.compress(text.encode()))
    again = read_table(packed)
    assert (
        plain.values["conductance"].tolist()
        == again.values["conductance"].tolist()
        == pytest.approx([2e-5, 3e-5])
    )
    assert plain.lines.tolist() == [3, 5]
    assert plain.labels["cell"].tolist() == [0, 1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "mine.csv is empty"),
        ("cell,conductance_uS\n", "has a header and no rows"),
        ("cell;conductance_uS\n1;2\n", "parted by commas"),
        (
            "cell,conductance_uS\n1,20\n1,nan\n",
            r"line 3, column conductance_uS: need a finite number, got 'nan'",
        ),
        (
            "cell,conductance_uS\n1,20\n1,inf\n",
            r"line 3, column conductance_uS: need a finite number, got 'inf'",
        ),
        ("cell,conductance_uS\n1,20\n1,-3\n", r"line 3, column conductance_uS: need at least 0, got '-3'"),
        ("cell,conductance_uS\n1,twenty\n", r"line 2, column conductance_uS: need a number, got 'twenty'"),
        ("cell,conductance_uS\n1,\n", r"line 2, column conductance_uS: need a number, got ''"),
        ("cell,conductance_uS\n,20\n", r"line 2, column cell: need a name or a number"),
        (
            "cell,resistance_kohm\n1,0\n",
            r"line 2, column resistance_kohm: need a resistance above 0, got '0'",
        ),
        ("cell,conductance_uS\n1,20,3\n", "line 2: need 2 values, got 3"),
        (
            "cell,conductance_kohm\n1,20\n",
            r"'conductance_kohm' is of unit 'kohm'; call it one of conductance_S",
        ),
        ("target_s,conductance_S\n1,20\n", r"'target_s' is of unit 's'"),
        ("cell,conductance\n1,20\n", r"'conductance' is without a unit; call it one of conductance_S"),
        ("cell,conductence_uS\n1,20\n", r"'conductence_uS' is not known; did you mean conductance"),
        ("cell,conductance_uS,conductance_S\n1,20,2e-5\n", "hold the same; keep one"),
        ("cell,note\n1,20\n", "need a column conductance"),
        ("conductance_uS\n20\n", "conductances alone say nothing; add a column target"),
        ("width_ns,conductance_before_uS\n1,20\n", "pulses need columns .* conductance_after is missing"),
        (
            "width_ns,voltage_V,conductance_before_uS,conductance_after_uS\n1,-1,2,3\n",
            "sign of a pulse is that of",
        ),
        ("cell,read,conductance_uS\n1,0,20\n1,0,21\n", "line 3, column read: this read of this cell again"),
        (
            "cell,target_uS,conductance_uS\n1,20,20\n1,20,21\n",
            "line 3, column cell: the same cell, target and time",
        ),
    ],
)
def test_bad_files_are_refused_with_place_and_value(tmp_path, monkeypatch, text, message):
    monkeypatch.setattr("crossloom.fitting.spreads.maximize", None)  # nothing may be fitted before
    monkeypatch.setattr("crossloom.fitting.pulses.maximize", None)
    with pytest.raises(DataError, match=message) as caught:
        fit_device(write_text(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_a_missing_and_a_damaged_file_are_refused(tmp_path):
    with pytest.raises(DataError, match="there is no file"):
        read_table(tmp_path / "absent.csv")
    damaged = tmp_path / "damaged.csv.gz"
    damaged.write_bytes(gzip.compress(b"cell,conductance_uS\n1,20\n" * 50)[:40])
    with pytest.raises(DataError, match="cannot be read as CSV"):
        read_table(damaged)


def test_every_file_is_checked_before_any_is_fitted(tmp_path, monkeypatch):
    monkeypatch.setattr("crossloom.fitting.device.gather_visits", None)
    good = write_text(tmp_path, "cell,conductance_uS\n1,20\n1,21\n")
    with pytest.raises(DataError, match=r"second\.csv is empty"):
        fit_device([good, write_text(tmp_path, "", "second.csv")])
