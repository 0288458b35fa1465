"""How much slower than plain PyTorch a simulated chip is.

    python benchmarks/throughput.py [--only linear|resnet] [--rounds N] [--threads N]

(a) A 512 to 512 layer, batch 256, on 1152 x 256 macros (4 tiles) with quantisation, programmed error, read noise
    and an 8-bit ADC, in multi-level mode, against torch.nn.functional.linear in fp32. Once with read noise that is
    the same for all cells, once with read noise that grows with conductance (a second product).
(b) ResNet-32 (random weights: speed does not depend on them), batch 64, against the fp32 network as PyTorch runs it
    (batch norm unfolded, as trained): 8-bit multi-level with an 8-bit ADC and programmed error; three-cycle
    bit-serial on tsinghua_c200 (programmed error, offsets). Both also with read noise, for information.
"""

import argparse
import sys
from pathlib import Path

import torch
from timing import compare
from torch import nn
from torch.nn import functional

import crossloom as xl

sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))
from cifar_resnet import resnet32

CELL = "chip.core.macro.crossbar.cell"
PULSE = {"width": 1e-7, "step": 1e-6, "max_width": 1e-5}
ONE_FOR_ALL = 5e-7
GROWING = {"coefficients": [3e-7, 1e-6], "scale": 1e-4}


def eight_bit(read_noise: object) -> xl.SystemSpec:
    """Ideal geometry with an 8-bit ADC and Gaussian cells."""
    device = {"kind": "gaussian", "programming_error": 2e-6, "read_noise": read_noise}
    return xl.load_system(
        "ideal", {"chip.core.macro.readout.bits": 8, f"{CELL}.pulse": PULSE, f"{CELL}.device": device}
    )


def programmed(model: nn.Module, system: xl.SystemSpec, inputs: torch.Tensor) -> xl.ProgrammedChips:
    return xl.program(xl.compile(model, system, data=[inputs]), xl.simulate(system, seed=0))


@torch.no_grad()
def time_linear(rounds: int) -> None:
    torch.manual_seed(0)
    layer, inputs = nn.Linear(512, 512), torch.randn(256, 512)
    cases = (("one read noise for all cells", ONE_FOR_ALL), ("read noise that grows with g", GROWING))
    for name, noise in cases:
        chips = programmed(layer, eight_bit(noise), inputs)
        paired = compare(
            lambda: functional.linear(inputs, layer.weight, layer.bias),
            lambda chips=chips: xl.run(chips, inputs, batch_size=256, probe_samples=0),
            rounds,
        )
        print(paired.line(f"(a) 512 -> 512, batch 256, {name}", 3), flush=True)


@torch.no_grad()
def time_resnet(rounds: int) -> None:
    torch.manual_seed(0)
    model, inputs = resnet32().eval(), torch.randn(64, 3, 32, 32)
    noisy = {f"{CELL}.device.read_noise": ONE_FOR_ALL}
    cases = (
        ("multi_level, 8 bits", eight_bit(None), 4),
        ("multi_level, 8 bits, with read noise", eight_bit(ONE_FOR_ALL), 4),
        ("bit_serial, 3 cycles", xl.load_system("tsinghua_c200"), 8),
        ("bit_serial, 3 cycles, with read noise", xl.load_system("tsinghua_c200", noisy), 8),
    )
    for name, system, bound in cases:
        chips = programmed(model, system, inputs)
        paired = compare(
            lambda: model(inputs),
            lambda chips=chips: xl.run(chips, inputs, batch_size=64, probe_samples=0),
            rounds,
        )
        print(paired.line(f"(b) ResNet-32, batch 64, {name}", bound), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=["linear", "resnet"])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"torch {torch.__version__}, {options.threads} threads")
    if options.only != "resnet":
        time_linear(options.rounds * 10)
    if options.only != "linear":
        time_resnet(options.rounds)


if __name__ == "__main__":
    main()
