from io import StringIO

from rich.console import Console

from crossloom.report.colors import layer_colors


def test_the_text_fits_a_hundred_columns(report):
    assert max(len(line) for line in report.summary().splitlines()) <= 100


def test_the_text_names_stations_layers_and_notes(report):
    text, facts = report.summary(), report.to_json()
    assert all(station["name"] in text for station in facts["waterfall"]["stations"])
    assert all(row["name"] in text for row in facts["layers"])
    assert "kept digital by configuration" in text


def test_print_writes_the_same_to_a_console(report):
    console = Console(file=StringIO(), width=100, color_system=None)
    report.print(console)
    printed = [line.rstrip() for line in console.file.getvalue().splitlines()]
    assert printed == report.summary().splitlines()


def test_print_goes_to_standard_output(report, capsys):
    report.print()
    assert "accuracy" in capsys.readouterr().out


def test_layers_have_colours_of_their_own():
    for number in (1, 10, 11, 34, 120):
        assert len(set(layer_colors(number))) == number
