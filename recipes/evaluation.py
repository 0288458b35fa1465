"""Accuracy of networks on programmed chips: many chips, several levels of programming error, resumable."""

import argparse
import contextlib
import ctypes
import hashlib
import json
import multiprocessing
import statistics
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from math import sqrt
from pathlib import Path

import torch
from cifar import CALIBRATION_IMAGES, accuracy, load_split
from torch import nn

import crossloom as xl

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h


@dataclass(frozen=True)
class Job:
    """One set of chips for one placement.

    level: programming error of a weight as a share of its full conductance; None takes the system as it is.
    is_calibrated: whether the chips' gains and offsets are measured on training images, and made good digitally.
    """

    name: str
    level: float | None
    seed: int
    placement: Path
    images: int
    data: Path | None
    is_calibrated: bool = False

    @property
    def key(self) -> str:
        level = "" if self.level is None else f" {self.level:g}"
        calibrated = " calibrated" if self.is_calibrated else ""
        return f"{self.placement.stem}{level} {self.seed} {self.images}{calibrated}"


def fingerprint(model: nn.Module, system: xl.SystemSpec, *settings: object) -> str:
    """A name for weights, what was learned with them, hardware and more, so that results of others are never taken."""
    state = hashlib.sha256(system.model_dump_json().encode())
    for name, value in model.state_dict().items():
        state.update(name.encode() + value.contiguous().numpy().tobytes())
    state.update(repr([getattr(module, "learned", None) for module in model.modules()]).encode())
    state.update("".join(map(repr, settings)).encode())
    return state.hexdigest()[:8]


def at_level(system: xl.SystemSpec, level: float) -> xl.SystemSpec:
    """The system with this error of a weight, as a share of its full conductance: each of two cells has 1 / sqrt(2)."""
    cell = system.macro.cell
    error = level * (cell.g_max - cell.g_min) / sqrt(2)
    device = cell.device.replace(programming_error=error or None)
    return system.with_cell(cell.replace(device=device))


def evaluate_networks(
    networks: dict[str, nn.Module],
    system: xl.SystemSpec,
    options: argparse.Namespace,
    is_calibrated: bool = False,
) -> dict[str, dict[float | None, list[float]]]:
    """Accuracy of every network at every level on every set of chips. What `results.json` has is not run again."""
    options.output.mkdir(parents=True, exist_ok=True)
    inputs = load_split(options.data, "train", CALIBRATION_IMAGES).inputs
    jobs: dict[tuple[str, float | None], list[Job]] = {}
    for name, model in networks.items():
        path = options.output / f"{name}-{fingerprint(model, system)}.xloom"
        if not path.exists():
            xl.compile(model, system, data=list(inputs.split(64))).save(path)
        for level in options.levels:
            seeds = range(options.seed, options.seed + options.chips)
            jobs[name, level] = [
                Job(name, level, seed, path, options.images, options.data, is_calibrated) for seed in seeds
            ]
    found = run_jobs(
        [job for group in jobs.values() for job in group], options.output / "results.json", options.workers
    )
    return {
        name: {level: [found[job.key] for job in jobs[name, level]] for level in options.levels}
        for name in networks
    }


def run_jobs(jobs: list[Job], store: Path, num_workers: int) -> dict[str, float]:
    """Run what the store does not have, one thread per worker; every result is kept at once."""
    found: dict[str, float] = json.loads(store.read_text()) if store.exists() else {}
    left = sorted((job for job in jobs if job.key not in found), key=lambda job: job.seed)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(num_workers, context, initializer=prepare_worker) as pool:
        running = {pool.submit(run_job, job): job for job in left}
        for number, done in enumerate(as_completed(running)):
            found[running[done].key] = done.result()
            with xl.artefacts.atomic_path(store) as temporary:
                temporary.write_text(json.dumps(found, indent=1))
            print(f"{number + 1}/{len(left)} {running[done].key}: {done.result():.2%}", flush=True)
    return found


def prepare_worker() -> None:
    """One thread, and memory that is kept: giving large tensors back to the system after every layer costs a third."""
    torch.set_num_threads(1)
    with contextlib.suppress(OSError, AttributeError):  # glibc only
        library = ctypes.CDLL("libc.so.6")
        library.mallopt(M_MMAP_THRESHOLD, 1 << 30)
        library.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


def summarise(scores: list[float]) -> dict:
    """Mean and standard deviation over chips, and what they are of."""
    spread = statistics.stdev(scores) if len(scores) > 1 else 0.0
    return {"mean": statistics.mean(scores), "std": spread, "chips": scores}


def run_job(job: Job) -> float:
    """Program one set of chips and run the test images."""
    placement = xl.Placement.load(job.placement)
    test = load_split(job.data, "test", job.images)
    system = placement.system if job.level is None else at_level(placement.system, job.level)
    chips = xl.program(
        placement, xl.simulate(system, seed=job.seed), xl.DirectSet() if job.level is None else None
    )
    if job.is_calibrated:
        chips = chips.with_calibration(
            xl.calibrate(chips, [load_split(job.data, "train", CALIBRATION_IMAGES).inputs])
        )
    result = xl.run(chips, test.inputs, batch_size=128, probe_samples=0, seed=job.seed)
    return accuracy(result.outputs, test.labels)
