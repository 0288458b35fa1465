"""Post-deployment training: a pretrained ResNet-32 becomes one that survives the eight chips of `tsinghua_c200`.

    python recipes/pdt_resnet32.py train --data DIR --weights resnet32-d509ac18.th --output out/pdt [--stage STAGE]
        [--epochs N N] [--images N] [--noise 0.06] [--seed N]
    python recipes/pdt_resnet32.py evaluate --data DIR --weights resnet32-d509ac18.th [--trained FOLDER]
        [--output out/pdt] [--images N] [--chips N] [--levels 0.06 0.1] [--calibrated]
        [--seed N] [--workers N]

DIR (or $CROSSLOOM_DATA) holds cifar-10-batches-py; the float weights are those of akamaster/pytorch_resnet_cifar10.

Training goes as Yu et al. (Nat. Commun. 16, 2123, 2025) do, in two stages on the network as it is mapped: tiles, three
input cycles, a 4-bit converter at the end of each. `quantised`: without noise. Then, from there, `noisy`: weight noise
of 0.06 of the range of the integers, and converters' offsets; and beside it `plain`: just as long without noise, to
compare with. Theirs is 60 and 6 epochs; ours is whatever --epochs says. Whatever is interrupted goes on where it was.

`evaluate` programs chips and runs the test images, for the post-training quantised network (a), the plain (b) and the
noisy one (c), at each level of programming error (standard deviation of a weight over the full conductance). With
--calibrated the same chips once more, their columns' gains and offsets measured and made good digitally. The last
line of either command is one JSON object.
"""

import argparse
import json
from pathlib import Path

import torch
from cifar import CALIBRATION_IMAGES, load_split, network
from evaluation import evaluate_networks, summarise
from torch import nn

import crossloom as xl
from crossloom.training import (
    AnalogConfig,
    Checkpoint,
    ConverterOffsets,
    NoiseSchedule,
    RandomCropFlip,
    Sgd,
    TensorBoardLog,
    TrainingConfig,
    WeightNoise,
    begin,
    convert_to_analog,
    convert_to_digital,
    evaluate_accuracy,
    load_learned,
    save_learned,
    train,
)

SYSTEM = "tsinghua_c200"
STAGES = ("quantised", "plain", "noisy")
BATCH = 64
TRAINED = Path(__file__).parent / "weights"


def analog(options: argparse.Namespace, calibration: torch.Tensor) -> nn.Module:
    """The pretrained network as mapped, its steps set by some training images."""
    config = AnalogConfig(
        largest_weight=6,
        per_channel=False,  # one step a layer, as Yu et al.
        is_quick=True,
        effects=(WeightNoise(sigma=options.noise), ConverterOffsets()),
    )
    model = convert_to_analog(network("resnet32", options.weights), xl.load_system(SYSTEM), config)
    begin(model, calibration)
    return model


def train_stage(stage: str, options: argparse.Namespace) -> dict:
    """Train one stage, or go on with it; the figures of the trained network without noise."""
    data, test = load_split(options.data, "train", options.images), load_split(options.data, "test", 2000)
    model = analog(options, data.inputs[:CALIBRATION_IMAGES])
    is_first = stage == "quantised"
    if not is_first:
        Checkpoint.load(options.output / "quantised" / "last.safetensors").restore(model)
    config = TrainingConfig(
        epochs=options.epochs[0 if is_first else 1],
        batch_size=BATCH,
        optimiser=Sgd(learning_rate=0.02 if is_first else 0.01, momentum=0.9, weight_decay=1e-4),
        schedule={"kind": "cosine", "warm_up": 0.05},
        noise=NoiseSchedule(start=0.0, ramp=0.2) if stage == "noisy" else NoiseSchedule(start=1e9),
        memory_format="channels_last",
        checkpoint_every=120.0,
        log_every=20,
        seed=options.seed,
    )
    log = TensorBoardLog(options.output / "logs" / stage) if options.tensorboard else report_step
    result = train(
        model,
        data,
        config,
        augment=RandomCropFlip(padding=4),
        validation=(test.inputs, test.labels),
        folder=options.output / stage,
        log=log,
    )
    print(result.summary(), flush=True)
    save_learned(convert_to_digital(model), options.output / f"{stage}.safetensors")
    return {"accuracy_as_mapped": evaluate_accuracy(model, test.inputs, test.labels, 250)}


def report_step(record: dict) -> None:
    """One line per log entry, for those without TensorBoard."""
    print(
        " ".join(
            f"{key}={value:.4g}" if isinstance(value, float) else f"{key}={value}"
            for key, value in record.items()
        ),
        flush=True,
    )


def command_train(options: argparse.Namespace) -> dict:
    """All stages that were asked for."""
    stages = STAGES if options.stage == "all" else (options.stage,)
    figures = {stage: train_stage(stage, options) for stage in stages}
    return {"epochs": options.epochs, "noise": options.noise, "seed": options.seed, "stages": figures}


def networks(options: argparse.Namespace) -> dict[str, nn.Module]:
    """(a), (b) and (c), ready to compile."""
    trained = {"quantisation_aware": "plain", "noise_aware": "noisy"}
    found = {"post_training": network("resnet32", options.weights)}
    for name, stage in trained.items():
        path = options.trained / f"pdt_resnet32_{stage}.safetensors"
        path = path if path.exists() else options.trained / f"{stage}.safetensors"
        found[name] = load_learned(network("resnet32").eval(), path)
    return found


def command_evaluate(options: argparse.Namespace) -> dict:
    """Mean and standard deviation over chips, for all networks and levels, as programmed and then calibrated."""
    found, tables = networks(options), {}
    for kind in ("programmed", "calibrated")[: 2 if options.calibrated else 1]:
        scores = evaluate_networks(found, xl.load_system(SYSTEM), options, kind == "calibrated")
        tables[kind] = {
            name: {f"{level:g}": summarise(chips) for level, chips in by_level.items()}
            for name, by_level in scores.items()
        }
        show(kind, tables[kind], options.levels)
    return {"system": SYSTEM, "images": options.images, "chips": options.chips, **tables}


def show(kind: str, table: dict, levels: list[float]) -> None:
    """One line per level."""
    print(f"{kind:>10} " + " ".join(f"{name:>24}" for name in table))
    for level in levels:
        cells = [table[name][f"{level:g}"] for name in table]
        row = " ".join(f"{cell['mean']:>14.2%} +- {cell['std']:>6.2%}" for cell in cells)
        print(f"{level:>10g} {row}")


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
        command.add_argument("--output", type=Path, default=Path("out/pdt"))
        command.add_argument("--images", type=int, default=50_000 if command is training else 10_000)
        command.add_argument("--seed", type=int, default=0)
    training.add_argument("--stage", choices=("all", *STAGES), default="all")
    training.add_argument("--epochs", type=int, nargs=2, default=(1, 1), metavar=("QUANTISED", "NOISY"))
    training.add_argument("--noise", type=float, default=0.06)
    training.add_argument("--tensorboard", action="store_true")
    evaluation.add_argument("--trained", type=Path, default=TRAINED)
    evaluation.add_argument("--chips", type=int, default=10)
    evaluation.add_argument("--levels", type=float, nargs="+", default=[0.06, 0.1])
    evaluation.add_argument("--calibrated", action="store_true", help="also with calibrated chips")
    evaluation.add_argument("--workers", type=int, default=2)
    return parser.parse_args()


def main() -> None:
    options = parse()
    figures = command_train(options) if options.command == "train" else command_evaluate(options)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
