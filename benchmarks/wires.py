"""What exact wires cost: the effective matrix of a crossbar against a sparse direct solver, and against badcrossbar.

    python benchmarks/wires.py [--largest 1024] [--rounds 3]

One run gives, for N x N cells of 1 to 100 uS and wires of 1 ohm a segment:
(a) the whole effective matrix of 256 x 256 against scipy's splu (factorised once, all 256 inputs solved), both
    checked against each other, with the peak of memory;
(b) its time for N = 128 to 1024, and the power of N with which it grows;
(c) the gradient with respect to every cell, against the forward pass;
(d) 64 input vectors on 512 x 512 against badcrossbar, where that is installed (`pip install badcrossbar`), the
    whole effective matrix included, with the accuracy of both.
(e) inference of ResNet-32 (random weights, batch 64) on 128-column macros, with wires of 1 ohm and without.
"""

import argparse
import math
import resource
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from timing import compare

import crossloom as xl
from crossloom.circuits import effective_conductance
from crossloom.spec import Wires

sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))
from cifar_resnet import resnet32

OHM = 1.0
WIRES = Wires(OHM, OHM)


def cells(side: int) -> torch.Tensor:
    """S, [row, column]."""
    generator = torch.Generator().manual_seed(side)
    return 1e-6 + 99e-6 * torch.rand(side, side, generator=generator, dtype=torch.float64)


def seconds(call: Callable[[], Any], rounds: int) -> float:
    """The median of so many calls, after one to warm up."""
    call()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return median(times)


class PeakMemory:
    """By how much the process grew while a block ran, at most, in bytes; sampled every millisecond."""

    def __enter__(self) -> "PeakMemory":
        self._is_over = threading.Event()
        self._before = self.peak = _resident()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()
        self.peak -= self._before

    def _watch(self) -> None:
        while not self._is_over.wait(1e-3):
            self.peak = max(self.peak, _resident())


def _resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def by_splu(conductance: np.ndarray, voltages: np.ndarray) -> np.ndarray:
    """A, [vector, column]: one sparse factorisation, ordered for symmetric matrices, and all vectors at once."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.linalg import splu

    num_rows, num_columns = conductance.shape
    nodes = np.arange(conductance.size).reshape(conductance.shape)
    word, bit, wire = nodes, nodes + conductance.size, 1 / OHM
    edges = [
        (word, bit, conductance),
        (word[:, :-1], word[:, 1:], np.full((num_rows, num_columns - 1), wire)),
        (bit[:-1], bit[1:], np.full((num_rows - 1, num_columns), wire)),
    ]
    ends = np.zeros(2 * conductance.size)
    ends[word[:, 0]] += wire
    ends[bit[-1]] += wire
    rows, columns, values = [np.arange(len(ends))], [np.arange(len(ends))], [ends]
    for one, other, value in edges:
        for row, column, sign in ((one, one, 1), (other, other, 1), (one, other, -1), (other, one, -1)):
            rows.append(row.ravel())
            columns.append(column.ravel())
            values.append(sign * value.ravel())
    entries = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
    matrix = coo_matrix(entries, shape=(len(ends), len(ends))).tocsc()
    given = np.zeros((len(ends), len(voltages)))
    given[word[:, 0]] = wire * voltages.T
    factors = splu(matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
    return wire * factors.solve(given)[bit[-1]].T


def against_splu(rounds: int) -> None:
    conductance = cells(256)
    with PeakMemory() as memory:
        ours = effective_conductance(conductance, WIRES)
    fast = seconds(lambda: effective_conductance(conductance, WIRES), rounds)
    start = time.perf_counter()
    slow = by_splu(conductance.numpy(), np.eye(256))
    floor = time.perf_counter() - start
    error = np.abs(ours.numpy() - slow).max() / np.abs(slow).max()
    print(
        f"(a) 256 x 256, all inputs: splu {floor:.2f} s   ours {fast:.3f} s   {floor / fast:.0f} x faster (bound 12 x: "
        f"{'holds' if floor / fast >= 12 else 'MISSED'}); peak {memory.peak / 2**20:.0f} MiB (bound 1024); "
        f"largest difference {error:.1e}",
        flush=True,
    )


def growth(largest: int, rounds: int) -> None:
    sides = [side for side in (128, 256, 512, 1024, 2048) if side <= largest]
    times = [seconds(lambda side=side: effective_conductance(cells(side), WIRES), rounds) for side in sides]
    for side, taken in zip(sides, times, strict=True):
        print(f"(b) {side:>4} x {side:<4} {taken:8.3f} s", flush=True)
    power = math.log(times[-1] / times[1]) / math.log(sides[-1] / sides[1])
    print(f"(b) from {sides[1]} to {sides[-1]} time grows as N^{power:.2f} (bound N^3.2)", flush=True)


def gradient(rounds: int) -> None:
    for side in (128, 256, 512):
        conductance = cells(side)
        forward = seconds(lambda c=conductance: effective_conductance(c, WIRES), rounds)
        variable = conductance.clone().requires_grad_()
        slope = torch.randn(side, side, dtype=torch.float64)

        def both(variable: torch.Tensor = variable, slope: torch.Tensor = slope) -> None:
            torch.autograd.grad(effective_conductance(variable, WIRES), variable, slope)

        whole = seconds(both, rounds)
        print(
            f"(c) {side} x {side}: forward {forward:.3f} s, forward and gradient {whole:.3f} s: "
            f"{whole / forward:.2f} x (bound 4 x)",
            flush=True,
        )


def against_badcrossbar() -> None:
    try:
        import badcrossbar
    except ImportError:
        print("(d) badcrossbar is not installed: pip install badcrossbar")
        return
    conductance = cells(512)
    voltages = torch.rand(64, 512, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 0.2
    start = time.perf_counter()
    ours = voltages @ effective_conductance(conductance, WIRES)
    fast = time.perf_counter() - start
    start = time.perf_counter()
    solution = badcrossbar.compute(voltages.numpy().T, 1 / conductance.numpy(), r_i=OHM)
    slow = time.perf_counter() - start
    exact = by_splu(conductance.numpy(), voltages.numpy())
    theirs = np.asarray(solution.currents.output)
    errors = [np.abs(result - exact).max() / np.abs(exact).max() for result in (ours.numpy(), theirs)]
    print(
        f"(d) 512 x 512, 64 vectors: badcrossbar {slow:.1f} s (error {errors[1]:.0e})   ours {fast:.2f} s (error "
        f"{errors[0]:.0e})   {slow / fast:.0f} x faster (bound 5 x: {'holds' if slow / fast >= 5 else 'MISSED'})"
    )


@torch.no_grad()
def inference(rounds: int) -> None:
    torch.manual_seed(0)
    model, images = resnet32().eval(), torch.randn(64, 3, 32, 32)
    crossbar = "chip.core.macro.crossbar"
    usual = {"chip.core.macro.readout.bits": 8, f"{crossbar}.num_columns": 128}
    chips = []
    for wires in ({}, {f"{crossbar}.wires": {"word_line": OHM, "bit_line": OHM}}):
        system = xl.load_system("ideal", {**usual, **wires})
        chips.append(xl.program(xl.compile(model, system, data=[images]), xl.simulate(system)))
    start = time.perf_counter()
    xl.run(chips[1], images, probe_samples=0)
    first = time.perf_counter() - start
    paired = compare(*(lambda c=c: xl.run(c, images, probe_samples=0) for c in chips), rounds=3 * rounds)
    print(paired.line("(e) ResNet-32, wires of 1 ohm, 128 columns", 1.1))
    print(f"(e) the first run, which solves the wires of every tile: {first:.1f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--largest", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    against_splu(arguments.rounds)
    growth(arguments.largest, arguments.rounds)
    gradient(arguments.rounds)
    against_badcrossbar()
    inference(arguments.rounds)


if __name__ == "__main__":
    main()
