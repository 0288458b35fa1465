"""What only some chips can do beside the three verbs: asked for here, and what they cannot is said in one place."""

from collections.abc import Callable, Sequence
from typing import Any

from crossloom.errors import BackendError
from crossloom.hardware.backend import Backend, Copyable, ManyMvms, Quietable, Storable, backends
from crossloom.hardware.codes import Codes
from crossloom.hardware.commands import Draw, MvmCommand, Reading

AskMany = Callable[[Sequence[MvmCommand], Codes, Draw, bool], Sequence[Reading]]
"""From commands, codes, what noise they meet, and whether codes are counted, to a reading of each."""


def copied(backend: Backend) -> Backend:
    """The same chips, independent of these from now on; these themselves where they cannot be copied."""
    return backend.copy() if isinstance(backend, Copyable) else backend


def quieted(backend: Backend) -> Backend:
    """The same chips, read without noise. BackendError when they cannot be."""
    if not isinstance(backend, Quietable):
        raise BackendError(f"a {type(backend).__name__} cannot be read without noise")
    return backend.quiet()


def together(backend: Backend) -> AskMany:
    """How to ask several regions at once: in one call, or one after the other where chips know no other way."""
    if isinstance(backend, ManyMvms):
        return backend.mvm_many
    return lambda commands, codes, draw, count_codes: tuple(
        backend.mvm(command, codes, draw, count_codes) for command in commands
    )


def stored(backend: Backend) -> tuple[str, Any]:
    """The kind of the chips and their state, for artefacts. BackendError when they have none that can be kept."""
    if not isinstance(backend, Storable):
        raise BackendError(f"chips on a {type(backend).__name__} cannot be saved: they are not in memory")
    return backend.kind, backend.to_state()


def restored(kind: str, state: Any) -> Backend:
    """The chips again, of what `stored` gave."""
    found = backends[kind].from_state(state)
    assert isinstance(found, Backend)
    return found
