"""Figures of a training for TensorBoard, an optional extra."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from crossloom.errors import MissingDependencyError


class TensorBoardLog:
    """A `log` for `train` that writes scalars into `folder`, by step: `epoch/loss`, `step/learning_rate`, …

    Raises MissingDependencyError without the extra `tensorboard`.
    """

    def __init__(self, folder: str | Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            message = (
                "TensorBoardLog needs tensorboard; install it with: pip install 'crossloom[tensorboard]'"
            )
            raise MissingDependencyError(message) from error
        self._writer = SummaryWriter(str(folder))

    def __call__(self, figures: Mapping[str, Any]) -> None:
        """Write every number of one dictionary that `train` gives."""
        kind, step = figures["kind"], figures["step"]
        for name, figure in figures.items():
            if isinstance(figure, int | float) and name != "step":
                self._writer.add_scalar(f"{kind}/{name}", figure, step)
        if kind == "epoch":
            self._writer.flush()

    def close(self) -> None:
        """Write out what is left."""
        self._writer.close()
