"""The example of on-chip learning runs, learns, and shows what it took."""

import on_chip_learning
import pytest


@pytest.mark.slow
def test_the_example_learns_by_every_rule_on_both_kinds_of_cells(capsys):
    found = on_chip_learning.main(["--epochs", "4", "--samples", "600"])
    printed = capsys.readouterr().out
    assert all(f"{cell}: accuracy" in printed for cell in on_chip_learning.CELLS)
    assert all(rule in printed for rule in on_chip_learning.RULES)
    neurram = found["NeuRRAM"]
    for rule in ("sign", "in place", "mixed precision"):
        assert neurram[rule].curve[0].accuracy < 0.25
        assert neurram[rule].accuracy > 0.5
    coarse = found["coarse soft bounds"]
    assert coarse["sign"].accuracy < neurram["sign"].accuracy - 0.1
    assert coarse["mixed precision"].pulses_per_cell < coarse["in place"].pulses_per_cell
