"""The example runs, finds its own device again, and draws its picture."""

import sys

import fit_my_device


def test_the_example_fits_its_own_measurements_and_draws_them(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["fit_my_device.py", "--output", str(tmp_path)])
    fit_my_device.main()
    printed = capsys.readouterr().out
    assert "of 18 intervals hold the number" in printed
    assert int(printed.split(" of 18 intervals")[0].split()[-1]) >= 15
    page = (tmp_path / "fit.html").read_text("utf-8")
    assert "relaxation at 100 s" in page
    assert 'src="http' not in page  # opens without a network
    monkeypatch.setattr(
        sys, "argv", ["fit", "--csv", str(tmp_path / "pulses.csv"), "--output", str(tmp_path)]
    )
    fit_my_device.main()
    assert "pulse.step" in capsys.readouterr().out
