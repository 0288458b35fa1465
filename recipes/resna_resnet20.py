"""Stochastic-noise-aware training (ReSNA) of a ResNet-20: noise of the kind that chips were measured to have.

    python recipes/resna_resnet20.py train --data DIR --weights resnet20-12fca82f.th [--output out/resna]
        [--images N] [--epochs N] [--seed N]
    python recipes/resna_resnet20.py evaluate --data DIR --weights resnet20-12fca82f.th [--output out/resna]
        [--images N] [--chips N] [--seed N] [--workers N]

DIR (or $CROSSLOOM_DATA) holds cifar-10-batches-py. The chips: 8-bit weights, inputs and converters, cells that are set
exactly and read with a noise of READ_NOISE of their window, new at every read. After Yang et al. (arXiv 2109.05437):
the noise of every layer's converted sums is measured on chips that hold the pretrained network; then training adds just
that noise to every conversion, and batch norms gather the statistics of noisy activations. Beside it the same network
trains as long without noise. Both are run on the same chips. The last line is one JSON object.
"""

import argparse
import json
from pathlib import Path

from cifar import CALIBRATION_IMAGES, load_split, network
from evaluation import evaluate_networks, summarise
from pdt_resnet32 import report_step
from torch import nn

import crossloom as xl
from crossloom.training import (
    AnalogConfig,
    NoiseSchedule,
    OutputNoise,
    RandomCropFlip,
    Sgd,
    TrainingConfig,
    begin,
    convert_to_analog,
    convert_to_digital,
    evaluate_accuracy,
    load_learned,
    measure_output_noise,
    save_learned,
    train,
)

READ_NOISE = 0.06  # of the window between g_min and g_max, in every cell at every read
CELL = "chip.core.macro.crossbar.cell"
STAGES = ("clean", "noisy")


def noisy_system() -> xl.SystemSpec:
    """Chips whose only fault is noise."""
    cell = xl.load_system("ideal").macro.cell
    device = {"kind": "gaussian", "read_noise": READ_NOISE * (cell.g_max - cell.g_min)}
    pulse = {"width": 1e-7, "step": 1e-6, "max_width": 1e-5}
    return xl.load_system(
        "ideal", {"chip.core.macro.readout.bits": 8, f"{CELL}.device": device, f"{CELL}.pulse": pulse}
    )


def analog(options: argparse.Namespace, noise: OutputNoise | None) -> nn.Module:
    """The pretrained network on these chips, with its steps set."""
    # The noise was measured in codes, at these steps: were they learned, a layer could shrink its noise by its gain.
    effects = (noise,) if noise else ()
    config = AnalogConfig(weight_bits=8, activation_bits=8, learns_steps=False, effects=effects)
    model = convert_to_analog(network("resnet20", options.weights), noisy_system(), config)
    begin(model, load_split(options.data, "train", CALIBRATION_IMAGES).inputs)
    return model


def measured_noise(options: argparse.Namespace) -> OutputNoise:
    """What the chips do to the pretrained network, layer by layer, in codes."""
    inputs = load_split(options.data, "train", CALIBRATION_IMAGES).inputs
    system = noisy_system()
    placement = xl.compile(convert_to_digital(analog(options, None)), system, data=[inputs])
    chips = xl.program(placement, xl.simulate(system, seed=options.seed), xl.DirectSet())
    return OutputNoise(layers=measure_output_noise(chips, inputs[:16]))


def train_stage(stage: str, options: argparse.Namespace) -> dict:
    """Train with or without the measured noise, or go on with it."""
    noise = measured_noise(options) if stage == "noisy" else None
    model = analog(options, noise)
    data, test = load_split(options.data, "train", options.images), load_split(options.data, "test", 2000)
    config = TrainingConfig(
        epochs=options.epochs,
        batch_size=64,
        optimiser=Sgd(learning_rate=0.01, momentum=0.9, weight_decay=1e-4),
        schedule={"kind": "cosine", "warm_up": 0.05},
        noise=NoiseSchedule(ramp=0.2 * options.epochs),
        memory_format="channels_last",
        checkpoint_every=120.0,
        log_every=20,
        seed=options.seed,
    )
    result = train(
        model,
        data,
        config,
        augment=RandomCropFlip(padding=4),
        validation=(test.inputs, test.labels),
        folder=options.output / stage,
        log=report_step,
    )
    print(result.summary(), flush=True)
    save_learned(convert_to_digital(model), options.output / f"{stage}.safetensors")
    figures = {"accuracy_without_noise": evaluate_accuracy(model, test.inputs, test.labels, 250)}
    return figures | ({"noise_in_codes": dict(noise.layers)} if noise else {})


def command_evaluate(options: argparse.Namespace) -> dict:
    """Mean and standard deviation over chips and their noise, for both."""
    networks = {
        stage: load_learned(network("resnet20").eval(), options.output / f"{stage}.safetensors")
        for stage in STAGES
    }
    networks["pretrained"] = network("resnet20", options.weights)
    scores = evaluate_networks(networks, noisy_system(), options)
    table = {name: summarise(found[None]) for name, found in scores.items()}
    for name, cell in table.items():
        print(f"{name:>12} {cell['mean']:.2%} +- {cell['std']:.2%}")
    gain = table["noisy"]["mean"] - table["clean"]["mean"]
    return {"read_noise": READ_NOISE, "images": options.images, "accuracy": table, "gain": gain}


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    training, evaluation = commands.add_parser("train"), commands.add_parser("evaluate")
    for command in (training, evaluation):
        command.add_argument("--data", type=Path, default=None)
        command.add_argument("--weights", type=Path, required=True)
        command.add_argument("--output", type=Path, default=Path("out/resna"))
        command.add_argument("--images", type=int, default=50_000 if command is training else 10_000)
        command.add_argument("--seed", type=int, default=0)
    training.add_argument("--stage", choices=("all", *STAGES), default="all")
    training.add_argument("--epochs", type=int, default=1)
    evaluation.add_argument("--chips", type=int, default=5)
    evaluation.add_argument("--workers", type=int, default=2)
    evaluation.set_defaults(levels=[None])
    return parser.parse_args()


def main() -> None:
    options = parse()
    if options.command == "evaluate":
        figures = command_evaluate(options)
    else:
        stages = STAGES if options.stage == "all" else (options.stage,)
        figures = {stage: train_stage(stage, options) for stage in stages}
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
