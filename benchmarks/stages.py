"""How long the stages before the run take.

    python benchmarks/stages.py [--rounds N]

(c) Programming 147,456 cells (one array of tsinghua_c200) by write-verify to 1 % of g_max. The floor draws as many
    Gaussian numbers once. (d) Compiling ResNet-32 for tsinghua_c200 from PyTorch, each in a process of its own, as a
    user meets it (imports included), and again in the same process. The floor runs the float network on the same
    calibration data.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

import torch

import crossloom as xl

EXAMPLES = Path(__file__).parents[1] / "examples"
COMPILE = """
import time, sys
start = time.perf_counter()
import torch, crossloom as xl
sys.path.insert(0, {examples!r})
from cifar_resnet import resnet32
torch.manual_seed(0)
model, data = resnet32().eval(), torch.randn(256, 3, 32, 32)
system = xl.load_system("tsinghua_c200")
for _ in range(2):
    began = time.perf_counter()
    xl.compile(model, system, data=list(data.split(64)))
    print(time.perf_counter() - began)
with torch.no_grad():
    began = time.perf_counter()
    for batch in data.split(64):
        model(batch)
    print(time.perf_counter() - began)
print(time.perf_counter() - start)
"""


def time_programming(rounds: int) -> None:
    system = xl.load_system("tsinghua_c200")
    cell = system.macro.cell
    layer = torch.nn.Linear(576, 128)
    placement = xl.compile(layer, system, data=[torch.randn(16, 576)])
    seconds, floors = [], []
    for seed in range(rounds):
        began = time.perf_counter()
        chips = xl.program(
            placement, xl.simulate(system, seed=seed), xl.WriteVerify(tolerance=0.01 * cell.g_max)
        )
        seconds.append(time.perf_counter() - began)
        began = time.perf_counter()
        torch.randn(1152, 128)
        floors.append(time.perf_counter() - began)
    best, report = sorted(seconds)[len(seconds) // 2], chips.report
    assert report is not None
    floor = sorted(floors)[len(floors) // 2]
    print(
        f"(c) {report.num_cells:,} cells to 1 % of g_max: {best:.2f} s (bound 2 s), {best / floor:.0f} x one Gaussian "
        f"draw; {report.num_pulses / report.num_cells:.2f} pulses a cell, {report.num_failed} failed"
    )


def time_compiling() -> None:
    code = COMPILE.format(examples=str(EXAMPLES))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    first, second, floor, whole = map(float, done.stdout.split())
    print(
        f"(d) compiling ResNet-32: {first:.1f} s in a fresh process (bound 10 s), {second:.1f} s again, "
        f"{second / floor:.1f} x the float network on the same data; {whole:.1f} s with imports and both"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    time_programming(options.rounds)
    time_compiling()


if __name__ == "__main__":
    main()
