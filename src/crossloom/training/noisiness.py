"""Effects on or off, whatever the mode."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from crossloom.errors import ConfigError
from crossloom.training.analog import AnalogMatrix


@contextmanager
def noisy(model: nn.Module, share: float = 1.0) -> Iterator[nn.Module]:
    """Effects at `share` of their strength (0: none, 1: all) within the block, in evaluation mode too.

    Afterwards every layer has the share and the rule that it had. Raises ConfigError for a share outside 0 to 1, and
    for a model without analog layers.
    """
    matrices = [module for module in model.modules() if isinstance(module, AnalogMatrix)]
    if not 0 <= share <= 1:
        raise ConfigError(f"need 0 <= share <= 1, got {share}")
    if not matrices:
        raise ConfigError("the model has no analog layers to make noisy; make some by convert_to_analog")
    before = [(matrix, matrix.is_noisy, matrix.noise_share) for matrix in matrices]
    try:
        for matrix in matrices:
            matrix.is_noisy = True
            matrix.set_noise_share(share)
        yield model
    finally:
        for matrix, is_noisy, noise_share in before:
            matrix.is_noisy = is_noisy
            matrix.set_noise_share(noise_share)
