"""Train one of the six, or take its weights from the repository.

Floating point first; then on, as the chips will compute: bits, converters, errors of weights and offsets. What is
kept: the float weights in half precision, and the integers with their steps.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn

import crossloom as xl
from crossloom.artefacts import atomic_path
from crossloom.errors import ArtefactError
from crossloom.training import (
    Adam,
    AnalogConfig,
    ConverterOffsets,
    NoiseSchedule,
    TrainingConfig,
    WeightNoise,
    begin,
    convert_to_analog,
    convert_to_digital,
    load_learned,
    save_learned,
    train,
)
from recipes.six_models.task import Samples, Schedule, Task, drawn

SYSTEM = "tsinghua_c200"
WEIGHTS = Path(__file__).parents[1] / "weights" / "six_models"


def load_networks(task: Task, data: Sequence[Path], folder: Path = WEIGHTS) -> tuple[nn.Module, nn.Module]:
    """The float network, and the one that carries what it learned as mapped.

    data: folders to look in for weights that are not in the repository.
    """
    if task.pretrained is not None:
        return task.pretrained(data)
    plain, learned = _paths(task, folder)
    if not plain.exists() or not learned.exists():
        raise ArtefactError(f"no weights of {task.name} in {folder}; train it: add --train")
    model = task.build()
    state = load_file(plain)
    model.load_state_dict({name: value.to(model.state_dict()[name].dtype) for name, value in state.items()})
    return model.eval(), load_learned(task.build().eval(), learned)


def train_networks(task: Task, data: Path, folder: Path, seed: int = 0) -> None:
    """Train what `folder` does not hold yet; checkpoints lie there while it goes on, and it resumes from them."""
    if task.schedule is None:
        print(f"{task.title}: its weights are given, there is nothing to train", flush=True)
        return
    some, test = task.load(data, "train"), task.load(data, "test")
    plain, learned = _paths(task, folder)
    folder.mkdir(parents=True, exist_ok=True)
    if not plain.exists():
        model = _train_plain(task, task.schedule, some, folder, seed)
        halves = {
            name: value.half() if value.is_floating_point() else value
            for name, value in model.state_dict().items()
        }
        with atomic_path(plain) as temporary:
            save_file(halves, temporary)
    model = task.build()
    model.load_state_dict(
        {name: value.to(model.state_dict()[name].dtype) for name, value in load_file(plain).items()}
    )
    print(f"{task.title}: {task.metric} {judge(task, model, test):.2%} in floating point", flush=True)
    if not learned.exists():
        mapped = _train_as_mapped(task, task.schedule, model.eval(), some, folder, seed)
        save_learned(mapped, learned)


def judge(task: Task, model: nn.Module, test: Samples) -> float:
    """The score of a network as it is."""
    model.eval()
    with torch.no_grad():
        outputs = torch.cat([model(part) for part in test.inputs.split(100)])
    return task.score(outputs, test.targets)


def _paths(task: Task, folder: Path) -> tuple[Path, Path]:
    return folder / f"{task.name}_float.safetensors", folder / f"{task.name}_mapped.safetensors"


def _train_plain(task: Task, schedule: Schedule, data: Samples, folder: Path, seed: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = task.build()
    config = TrainingConfig(
        epochs=schedule.epochs,
        batch_size=schedule.batch_size,
        optimiser=Adam(learning_rate=schedule.learning_rate, weight_decay=schedule.weight_decay),
        schedule={"kind": "cosine", "warm_up": 0.2},
        checkpoint_every=60.0,
        seed=seed,
    )
    return _train(task, model, data, config, folder / f"{task.name}_float")


def _train_as_mapped(
    task: Task, schedule: Schedule, model: nn.Module, data: Samples, folder: Path, seed: int
) -> nn.Module:
    """Every output channel has a step of its own; what falls out in training would teach converters wrong ranges."""
    config = AnalogConfig(
        largest_weight=6,
        is_quick=True,
        effects=(WeightNoise(sigma=schedule.noise), ConverterOffsets()),
    )
    for part in model.modules():
        if isinstance(part, nn.Dropout | nn.Dropout2d):
            part.p = 0.0
    analog = convert_to_analog(model, xl.load_system(SYSTEM), config)
    begin(analog, drawn(data, 256).inputs)
    training = TrainingConfig(
        epochs=schedule.mapped_epochs,
        batch_size=schedule.mapped_batch_size or schedule.batch_size,
        optimiser=Adam(learning_rate=schedule.mapped_learning_rate),
        schedule={"kind": "cosine", "warm_up": 0.2},
        noise=NoiseSchedule(start=0.0, ramp=0.5),
        clip_gradient=1.0,
        checkpoint_every=60.0,
        seed=seed,
    )
    return convert_to_digital(_train(task, analog, data, training, folder / f"{task.name}_mapped"))


def _train(task: Task, model: nn.Module, data: Samples, config: TrainingConfig, folder: Path) -> nn.Module:
    def say(event: dict) -> None:
        if event["kind"] == "epoch":
            print(
                f"{folder.name}: epoch {event['epoch']}/{config.epochs}, loss {event['loss']:.4f}", flush=True
            )

    train(
        model,
        (data.inputs, data.targets),
        config,
        loss=task.loss,
        augment=task.augment,
        folder=folder,
        log=say,
    )
    return model
