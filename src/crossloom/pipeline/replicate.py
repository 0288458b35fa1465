"""A placement made faster by replicas of its slow layers."""

from crossloom.cost import Table, stage_times
from crossloom.errors import ConfigError
from crossloom.placement import Placement, balance


def replicate(placement: Placement, table: Table | None = None, num_macros: int | None = None) -> Placement:
    """The same tiles placed anew, with replicas of slow layers, so that samples can follow one another more closely.

    A replica is all tiles of a layer once more; replicas share the vectors of a sample. How many there are of each
    layer, and on which macros, is chosen so that the busiest macro works as little as was found; layers that are
    faster than the digital unit as a whole get none. `program` writes all of them, and runs deal the vectors of a
    sample among them.

    Args:
        placement: whose tiles, system and choices are taken.
        table: of components, for the times of MVMs; as for `estimate`.
        num_macros: the most macros to use; None for all of the system.

    Raises CapacityError when the tiles do not fit, ConfigError for a budget that cannot be, or when no time of an MVM
    is known.
    """
    times = stage_times(placement, table)
    if not any(map(any, times.mvm.values())):
        raise ConfigError(
            f"no time of an MVM on {placement.system.name} is known, so that no layer is slow; give a table of "
            "components"
        )
    found = balance(
        placement.mapped,
        placement.config,
        placement.system,
        times.mvm,
        num_macros,
        fast_enough=sum(times.digital.values()),
    )
    return found.placement
