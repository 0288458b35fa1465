"""Training of any module, plain or analog: reproducible, resumable, and stopped in time."""

import sys
from contextlib import ExitStack, closing
from pathlib import Path

from torch import nn

from crossloom.errors import CrossloomError
from crossloom.progress import track
from crossloom.training.loop.augmentation import Augmentation
from crossloom.training.loop.config import TrainingConfig
from crossloom.training.loop.evaluation import keep_modes
from crossloom.training.loop.interruption import Interruption
from crossloom.training.loop.noise_schedule import keep_noise_share
from crossloom.training.loop.objective import Loss
from crossloom.training.loop.randomness import keep_random_state
from crossloom.training.loop.result import TrainingResult
from crossloom.training.loop.samples import Data
from crossloom.training.loop.session import Session
from crossloom.training.loop.task import Log, check_task


def train(
    model: nn.Module,
    data: Data,
    config: TrainingConfig,
    *,
    loss: Loss | None = None,
    validation: Data | None = None,
    augment: Augmentation | None = None,
    teacher: nn.Module | None = None,
    folder: str | Path | None = None,
    log: Log | None = None,
) -> TrainingResult:
    """Train `model` in place, on the device where it is.

    data, validation: a Dataset, or inputs [sample, ...] and labels [sample, ...].  loss: of outputs and labels, one
    number; None for cross entropy of logits [sample, class, ...].  augment: gives the inputs of a batch anew, with a
    generator on the processor.  teacher: with `distillation` in the config.  log: is called with a dictionary at the
    end of every epoch (`kind` "epoch", and what an EpochRecord has), every `log_every` steps ("step"), and when a
    training goes on ("resume").

    folder: holds two checkpoints, `last.safetensors` and, of the epoch with the best score, `best.safetensors`
    (`Checkpoint.load(path).restore(model)`). Where it holds one of this very training, training goes on from it, and
    ends as if it had never stopped: to the last bit on one thread. Ctrl-C writes a checkpoint first.

    Every step seeds torch's global generator, from which dropout and noise draw, by (seed, step). The caller's random
    state, the modes of all modules and their share of noise are afterwards as they were.

    Raises, before any work, ConfigError, DataError, or ArtefactError for a folder that is a file, or holds a
    checkpoint of something else. Raises TrainingError when the loss, its gradient or a parameter turns NaN or
    infinite: it names step and layer, and the model is as the last checkpoint has it.
    """
    task = check_task(model, data, config, loss, validation, augment, teacher, folder, log)
    with ExitStack() as stack:
        stack.enter_context(keep_random_state(task.device))
        stack.enter_context(keep_modes(model, teacher))
        stack.enter_context(keep_noise_share(model))
        interruption = stack.enter_context(Interruption())
        _prepare(model, teacher, config)
        session = Session(task, interruption)
        resumed_at = _resume(session)
        _run(session)
    return TrainingResult(session.history, session.step, resumed_at)


def _prepare(model: nn.Module, teacher: nn.Module | None, config: TrainingConfig) -> None:
    model.train().to(memory_format=config.torch_format)  # pyright: ignore[reportCallIssue]
    if teacher is not None:
        teacher.eval()


def _resume(session: Session) -> int | None:
    step = session.resume()
    if step is not None:
        session.tell("resume", epoch=len(session.history) + 1)
        if sys.stderr.isatty():
            print(
                f"going on from step {step} of {session.num_steps} in {session.task.folder}", file=sys.stderr
            )
    return step


def _run(session: Session) -> None:
    """All steps that are left."""
    try:
        if session.is_epoch_over:  # the interruption came before it was judged
            session.finish_epoch()
        with closing(track(range(session.num_steps - session.step), session.headline)) as steps:
            for _ in steps:
                session.advance()
                if session.is_epoch_over:
                    session.finish_epoch()
    except KeyboardInterrupt:
        session.break_off()
        raise
    except CrossloomError:
        session.go_back()
        raise
