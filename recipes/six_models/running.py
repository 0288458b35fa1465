"""All six: which there are, each on all sets of chips, several networks at a time."""

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from crossloom.errors import DataError
from recipes.evaluation import prepare_worker
from recipes.six_models import cnn, detector, lstm, mlp, resnet32, unet
from recipes.six_models.evaluation import Deployment
from recipes.six_models.task import Task
from recipes.six_models.training import load_networks

MODULES = (resnet32, unet, detector, cnn, lstm, mlp)  # what takes longest begins first
TASKS: dict[str, Task] = {module.TASK.name: module.TASK for module in reversed(MODULES)}


@dataclass(frozen=True)
class Options:
    """What to run.

    data: folders to look in.  images: test samples of each network, None for all.  chips: sets of them.  seed: of the
    first set.  workers: networks at a time.
    """

    models: tuple[str, ...]
    data: tuple[Path, ...]
    weights: Path
    output: Path
    images: int | None
    chips: int
    seed: int
    workers: int


def run_all(options: Options) -> dict[str, dict]:
    """Figures of every network, as many at a time as there are workers. Ctrl-C ends the workers as well.

    What a worker has stored is whole: files are written at once. Those that wait for a worker must not begin.
    """
    context = multiprocessing.get_context("spawn")
    found = {}
    with ProcessPoolExecutor(options.workers, context, initializer=prepare_worker) as pool:
        names = [module.TASK.name for module in MODULES if module.TASK.name in options.models]
        running = {pool.submit(run_one, name, options): name for name in names}
        try:
            for done in as_completed(running):
                found[running[done]] = done.result()
                print(f"{running[done]}: done, {len(found)} of {len(running)}", flush=True)
        except KeyboardInterrupt:
            for worker in multiprocessing.active_children():
                worker.terminate()
            raise
    return found


def run_one(name: str, options: Options) -> dict:
    """One network on all sets of chips; a report of the first tuned set."""
    data = find_data(options.data, name)
    task = TASKS[name]
    networks = load_networks(task, options.data, options.weights)
    deployment = Deployment(task, networks, data, options.images, options.output)
    digital = deployment.digital()
    reports = [options.output / f"{name}.html", *[None] * (options.chips - 1)]
    chips = [deployment.chips(options.seed + number, report) for number, report in enumerate(reports)]
    return {"digital": digital, "chips": chips, "images": len(deployment.test)}


def find_data(folders: Sequence[Path], name: str) -> Path:
    """The first folder from which this task's test samples load."""
    errors = []
    for folder in folders:
        try:
            TASKS[name].load(folder, "test")
        except DataError as error:
            errors.append(str(error))
        else:
            return folder
    raise DataError(f"{TASKS[name].title}: {'; '.join(errors)}")
