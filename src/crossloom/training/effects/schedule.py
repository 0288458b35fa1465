"""Effects at a share of their strength, for schedules over epochs."""

from collections.abc import Sequence

from crossloom.errors import ConfigError
from crossloom.training.effects.effect import Effect


def scale_effects(effects: Sequence[Effect], share: float) -> tuple[Effect, ...]:
    """The effects at `share` of their strength: none of them at 0, as they are at 1.

    Raises ConfigError for a share outside 0 to 1.
    """
    if not 0 <= share <= 1:
        raise ConfigError(f"need 0 <= share <= 1, got {share}")
    if share == 0:
        return ()
    return tuple(effects) if share == 1 else tuple(effect.with_share(share) for effect in effects)
