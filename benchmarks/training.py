"""What a step of hardware-aware training costs, beside a plain step in the same run.

    python benchmarks/training.py [--rounds N] [--threads N] [--memory] [--device cuda]

ResNet-32 (random weights: speed does not depend on them), batch 64, forward, backward and a step of SGD; 4-bit weights
and activations with learned steps, weight noise of 0.06 drawn anew at every step:

single: one conversion per product, by an 8-bit converter.
mapped: three cycles on `tsinghua_c200`, a 4-bit converter at the end of each; also with `is_quick`.

--memory prints the most memory that a step holds beyond what it holds before and after, for each, each in a process of
its own.
"""

import argparse
import multiprocessing
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import torch
from timing import compare
from torch.nn import functional

import crossloom as xl
from crossloom.training import AnalogConfig, WeightNoise, convert_to_analog

sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))
from cifar_resnet import resnet32

NOISE = (WeightNoise(sigma=0.06),)
CASES = {
    "single conversion": ("ideal", {"chip.core.macro.readout.bits": 8}, False, 2),
    "mapped, three cycles": ("tsinghua_c200", {}, False, 5),
    "mapped, three cycles, quick": ("tsinghua_c200", {}, True, 5),
}


def model_of(name: str, inputs: torch.Tensor) -> torch.nn.Module:
    """The network of a case; the plain one has no case."""
    torch.manual_seed(0)
    model = resnet32().to(inputs.device)
    if name not in CASES:
        return model.train()
    system, changes, is_quick, _ = CASES[name]
    config = AnalogConfig(weight_bits=4, activation_bits=4, effects=NOISE, is_quick=is_quick)
    return convert_to_analog(model, xl.load_system(system, changes), config, inputs).train()


def stepper(name: str, device: str) -> Callable[[], None]:
    """One step of training, ready to be called again and again."""
    inputs = torch.randn(64, 3, 32, 32, device=device).to(memory_format=torch.channels_last)
    labels = torch.randint(0, 10, (64,), device=device)
    model = model_of(name, inputs).to(memory_format=torch.channels_last)
    optimiser = torch.optim.SGD(model.parameters(), 1e-3, momentum=0.9)

    def step() -> None:
        optimiser.zero_grad()
        functional.cross_entropy(model(inputs), labels).backward()
        optimiser.step()
        if device != "cpu":
            torch.cuda.synchronize()

    return step


def time_steps(rounds: int, device: str) -> None:
    """Both in turns."""
    plain = stepper("plain", device)
    for name, (_, _, _, bound) in CASES.items():
        paired = compare(plain, stepper(name, device), rounds, warm_up=2)
        print(paired.line(f"one step of ResNet-32, batch 64, {name}", bound), flush=True)


def resident() -> int:
    """Bytes that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def measure_memory(name: str, queue: multiprocessing.Queue) -> None:
    """The most that a step adds, by watching from a thread."""
    step = stepper(name, "cpu")
    before, peak, is_done = resident(), 0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not is_done.wait(0.001):
            peak = max(peak, resident())

    watcher = threading.Thread(target=watch)
    watcher.start()
    for _ in range(3):
        step()
    is_done.set()
    watcher.join()
    queue.put(peak - before)


def compare_memory() -> None:
    """One fresh process each."""
    context, found = multiprocessing.get_context("spawn"), {}
    for name in ("plain", *CASES):
        queue = context.Queue()
        process = context.Process(target=measure_memory, args=(name, queue))
        process.start()
        found[name] = queue.get()
        process.join()
        ratio = found[name] / found["plain"]
        print(
            f"memory of a step, {name:<30} {found[name] / 2**20:7.0f} MiB  {ratio:5.2f} x (bound 2 x)",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.memory:
        compare_memory()
    else:
        time_steps(options.rounds, options.device)


if __name__ == "__main__":
    main()
