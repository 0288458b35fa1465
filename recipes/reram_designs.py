"""ReRAM chips of a design space, small networks trained for them, and what both are worth.

A design is a crossbar's size, cells per weight, bits of the converter, frequency, temperature and the network's width.
`evaluate` trains a network of one hidden layer on the digits of scikit-learn, with the noise of that chip, brings it to
simulated chips by crossloom's own stages, and says its accuracy on test images; `cost_of` says area, time and energy.
"""

from dataclasses import dataclass, replace
from functools import cache
from math import sqrt

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional

import crossloom as xl
from crossloom.cost import estimate
from crossloom.search import Choice, Float, Int, Space
from crossloom.seeds import derive_generator, derive_seed
from crossloom.units import BOLTZMANN

EPOCHS = 30  # of a full evaluation
NUM_TRAIN, BATCH_SIZE, LEARNING_RATE = 1000, 100, 8e-3
NUM_CALIBRATION = 64
G_MIN, G_MAX, READ_VOLTAGE = (
    1e-7,
    2e-6,
    0.02,
)  # chosen: cells of half a megaohm, read gently, so that noise counts
WEIGHT_BITS, ACTIVATION_BITS = 8, 4
BITS_PER_CELL = {
    2: 7,
    4: 4,
    8: 2,
    14: 1,
}  # by cells per weight: a pair for each slice of seven bits of magnitude

SPACE = Space(
    {
        "size": Choice((32, 64, 128, 256)),
        "cells_per_weight": Choice(tuple(BITS_PER_CELL)),
        "adc_bits": Int(3, 9),
        "frequency": Float(1e7, 1e9, log=True),
        "temperature": Float(300.0, 400.0),
        "width": Int(8, 64, log=True),
    }
)
GOALS = {"accuracy": "maximise", "area": "minimise", "time": "minimise", "energy": "minimise"}
EXACT = ("area", "time", "energy")


@dataclass(frozen=True)
class Data:
    """Digits [sample, 64] in [0, 1], and their labels [sample]."""

    train: torch.Tensor
    train_labels: torch.Tensor
    test: torch.Tensor
    test_labels: torch.Tensor


@cache
def digits() -> Data:
    """The digits of scikit-learn, shuffled once."""
    found = load_digits()
    images = torch.tensor(found.images, dtype=torch.float32).flatten(1) / 16
    order = torch.randperm(len(images), generator=derive_generator(0, "digits"))
    images, labels = images[order], torch.tensor(found.target)[order]
    return Data(images[:NUM_TRAIN], labels[:NUM_TRAIN], images[NUM_TRAIN:], labels[NUM_TRAIN:])


def system_of(design: dict, num_macros: int = 2048) -> xl.SystemSpec:
    """One chip of this design, with room for so many macros.

    Cells are read with the noise of their own resistance, sigma = sqrt(4 k T g f) / V, the thermal part of the noise of
    Yang et al., arXiv 2109.05437; the bandwidth is the frequency of the read cycles. Everything else is ideal.
    """
    frequency, bits = design["frequency"], BITS_PER_CELL[design["cells_per_weight"]]
    macro, cell = "chip.core.macro", "chip.core.macro.crossbar.cell"
    noise = {"bandwidth": frequency, "voltage": READ_VOLTAGE}
    return xl.load_system(
        "ideal",
        {
            "num_chips": 1,
            "chip.num_cores": 1,
            "chip.core.num_macros": num_macros,
            "precision.weight_bits": WEIGHT_BITS,
            "precision.activation_bits": ACTIVATION_BITS,
            f"{macro}.crossbar.num_rows": design["size"],
            f"{macro}.crossbar.num_columns": design["size"],
            f"{macro}.dac.bits": 1,
            f"{macro}.dac.read_voltage": READ_VOLTAGE,
            f"{macro}.dac.cycle_time": 1 / frequency,
            f"{macro}.readout.bits": design["adc_bits"],
            f"{macro}.readout.columns_per_adc": 8,
            f"{cell}.g_min": G_MIN,
            f"{cell}.g_max": G_MAX,
            f"{cell}.num_levels": 2**bits,
            f"{cell}.device": {
                "kind": "gaussian",
                "thermal_noise": noise,
                "temperature": {"operating": design["temperature"]},
            },
        },
    )


def mapping_of(design: dict) -> xl.MappingConfig:
    """Signed slices in pairs of cells, inputs bit by bit."""
    bits = BITS_PER_CELL[design["cells_per_weight"]]
    return xl.MappingConfig(
        encoding="differential_pair",
        slicing={"kind": "sign_magnitude", "bits_per_cell": bits},
        input_mode="bit_serial",
    )


def network(width: int, seed: int) -> nn.Module:
    """64 inputs, one hidden layer, ten classes."""
    with torch.random.fork_rng():
        torch.manual_seed(derive_seed(seed, "network", width))
        return nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, 10)).eval()


@cache
def _graph(width: int) -> xl.Graph:
    return xl.simplify(xl.trace(network(width, 0), digits().train[:2]))


def place(design: dict, model: nn.Module, system: xl.SystemSpec) -> xl.Placement:
    """The model on the system. Models of one width are traced once."""
    graph = _graph(design["width"])
    weights = {name: value.detach() for name, value in model.state_dict().items()}
    assert weights.keys() == graph.tensors.keys()
    graph = replace(graph, tensors=weights)
    return xl.compile(graph, system, data=[digits().train[:NUM_CALIBRATION]], mapping=mapping_of(design))


def weight_noise(design: dict) -> float:
    """Noise of a weight as a share of the largest: that of a pair of cells, half-way up, over the weight's slices."""
    conductance = (G_MIN + G_MAX) / 2
    sigma = sqrt(4 * BOLTZMANN * design["temperature"] * conductance * design["frequency"]) / READ_VOLTAGE
    return sqrt(2) * sigma / (G_MAX - G_MIN)


def train(design: dict, epochs: int, seed: int) -> nn.Module:
    """A network trained with the chip's noise on its weights, drawn anew for every step.

    A training of few epochs is the beginning of one of many.
    """
    data, model = digits(), network(design["width"], seed)
    generator, share = derive_generator(seed, "training"), weight_noise(design)
    optimiser = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE, fused=True)
    for _ in range(epochs):
        order = torch.randperm(NUM_TRAIN, generator=generator)
        for rows in order.split(BATCH_SIZE):
            hidden = _noisy(model[0], data.train[rows], share, generator).relu()
            logits = _noisy(model[2], hidden, share, generator)
            optimiser.zero_grad()
            functional.cross_entropy(logits, data.train_labels[rows]).backward()
            optimiser.step()
    return model.eval()


def _noisy(layer: nn.Linear, inputs: torch.Tensor, share: float, generator: torch.Generator) -> torch.Tensor:
    noise = torch.randn(layer.weight.shape, generator=generator)
    spread = share * layer.weight.detach().abs().max()
    return functional.linear(inputs, layer.weight + spread * noise, layer.bias)


def accuracy_of(design: dict, epochs: int, seed: int) -> float:
    """Share of the test images that the chips get right after so many epochs of training."""
    data = digits()
    placement = place(design, train(design, epochs, seed), system_of(design))
    chips = xl.program(placement, xl.simulate(placement.system, seed=seed), xl.DirectSet())
    outputs = xl.run(chips, data.test, seed=seed, probe_samples=0).outputs
    return float((outputs.argmax(1) == data.test_labels).double().mean())


def cost_of(design: dict) -> dict[str, float]:
    """Area (m²) of a chip with just enough macros, and time (s) and energy (J) of an image.

    Of the network before its training, so that no training changes them.
    """
    model = network(design["width"], 0)
    roomy = place(design, model, system_of(design))
    report = estimate(place(design, model, system_of(design, len(roomy.macros))))
    return {"area": report.area, "time": report.latency, "energy": report.energy}
