"""The training loop: `train(model, data, TrainingConfig(epochs=10))`, and what it is composed of."""

from crossloom.training.loop.augmentation import Augmentation, RandomCropFlip
from crossloom.training.loop.checkpoint import Checkpoint
from crossloom.training.loop.clipping import Deviations, Percentile, WeightClipping
from crossloom.training.loop.config import TrainingConfig
from crossloom.training.loop.evaluation import evaluate_accuracy
from crossloom.training.loop.learning_rates import Constant, Cosine, Schedule, Steps
from crossloom.training.loop.noise_schedule import NoiseSchedule, Noisy, set_noise_share
from crossloom.training.loop.norms import reestimate_norms
from crossloom.training.loop.objective import Distillation
from crossloom.training.loop.optimisers import Adam, Optimiser, Sgd
from crossloom.training.loop.records import EpochRecord
from crossloom.training.loop.result import TrainingResult
from crossloom.training.loop.tensorboard import TensorBoardLog
from crossloom.training.loop.train import train

__all__ = [
    "Adam",
    "Augmentation",
    "Checkpoint",
    "Constant",
    "Cosine",
    "Deviations",
    "Distillation",
    "EpochRecord",
    "NoiseSchedule",
    "Noisy",
    "Optimiser",
    "Percentile",
    "RandomCropFlip",
    "Schedule",
    "Sgd",
    "Steps",
    "TensorBoardLog",
    "TrainingConfig",
    "TrainingResult",
    "WeightClipping",
    "evaluate_accuracy",
    "reestimate_norms",
    "set_noise_share",
    "train",
]
