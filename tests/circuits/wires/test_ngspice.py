"""Three crossbars made here and solved by ngspice, where it is installed."""

import re
import shutil
import subprocess

import pytest
import torch

from crossloom.circuits import Crossbar
from crossloom.spec import PolynomialIvSpec, Wires

VOLTAGE = 0.4


def netlist(conductance: torch.Tensor, wires: Wires, voltages: torch.Tensor, is_cubic: bool) -> str:
    """Segment by segment; the current into every bit line's sensing ends is that of the source `vb`."""
    num_rows, num_columns = conductance.shape
    lines = ["crossbar", ".options reltol=1e-13 abstol=1e-20 vntol=1e-16 itl1=1000 numdgt=16"]
    names = [f"vb{column}" for column in range(num_columns)]
    for row in range(num_rows):
        lines.append(f"vw{row} s{row} 0 {float(voltages[row]):.17g}")
        lines.append(f"rw{row}_0 s{row} w{row}_0 {wires.driver + wires.word_line:.17g}")
        for column in range(1, num_columns):
            lines.append(f"rw{row}_{column} w{row}_{column - 1} w{row}_{column} {wires.word_line:.17g}")
        if wires.far_driver is not None:
            resistance = wires.far_driver + wires.word_line
            lines.append(f"rf{row} w{row}_{num_columns - 1} s{row} {resistance:.17g}")
    for column in range(num_columns):
        lines.append(f"vb{column} t{column} 0 0")
        for row in range(num_rows - 1):
            lines.append(f"rb{row}_{column} b{row}_{column} b{row + 1}_{column} {wires.bit_line:.17g}")
        resistance = wires.sense + wires.bit_line
        lines.append(f"rs{column} b{num_rows - 1}_{column} t{column} {resistance:.17g}")
        if wires.far_sense is not None:
            lines.append(f"rt{column} b0_{column} t{column} {wires.far_sense + wires.bit_line:.17g}")
    for row in range(num_rows):
        for column in range(num_columns):
            g, ends = float(conductance[row, column]), f"w{row}_{column} b{row}_{column}"
            v = f"V(w{row}_{column},b{row}_{column})"
            if is_cubic:
                lines.append(f"bc{row}_{column} {ends} I={g:.17g}*{v}*(1+{v}*{v}*{VOLTAGE**-2:.17g})")
            else:
                lines.append(f"rc{row}_{column} {ends} {1 / g:.17g}")
    prints = [f"print i({name})" for name in names]
    return "\n".join([*lines, ".control", "set numdgt=16", "op", *prints, "quit", ".endc", ".end", ""])


def by_ngspice(text: str, folder) -> torch.Tensor:
    path = folder / "crossbar.cir"
    path.write_text(text, "ascii")
    done = subprocess.run(["ngspice", "-b", path], capture_output=True, text=True, timeout=60, check=False)
    found = re.findall(r"^i\(vb(\d+)\) = (\S+)", done.stdout, re.MULTILINE)
    assert found, done.stdout + done.stderr
    values = [float(value) for _, value in sorted(found, key=lambda pair: int(pair[0]))]
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.skipif(shutil.which("ngspice") is None, reason="ngspice is not installed")
@pytest.mark.parametrize(
    ("shape", "wires", "is_cubic", "tolerance"),
    [
        ((7, 5), Wires(3.0, 4.0, 50.0, 60.0), False, 1e-9),
        ((6, 9), Wires(20.0, 10.0, 5.0, 1.0, far_driver=7.0, far_sense=2.0), False, 1e-9),
        ((8, 6), Wires(30.0, 20.0, 10.0, 40.0), True, 1e-8),
    ],
)
def test_ngspice_finds_the_same_currents(shape, wires, is_cubic, tolerance, tmp_path):
    generator = torch.Generator().manual_seed(11)
    conductance = 1e-6 + 2e-4 * torch.rand(shape, generator=generator, dtype=torch.float64)
    voltages = torch.rand(shape[0], generator=generator, dtype=torch.float64) - 0.3
    expected = by_ngspice(netlist(conductance, wires, voltages, is_cubic), tmp_path)
    curve = PolynomialIvSpec.cubic(VOLTAGE) if is_cubic else None
    found = Crossbar(conductance, wires, curve) @ voltages
    assert (found - expected).abs().max() < tolerance * expected.abs().max()
    without = Crossbar(conductance, None, curve) @ voltages
    assert (without - expected).abs().max() > 1e-2 * expected.abs().max()
