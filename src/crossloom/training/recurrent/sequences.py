"""Sequences in every form that torch.nn takes, as vectors sorted by time."""

from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.utils.rnn import PackedSequence

from crossloom.errors import DataError
from crossloom.training.recurrent.gates import State


@dataclass(frozen=True)
class Sequences:
    """vectors: [vector, input], those of the first time first.  sizes: how many sequences run at every time.

    packed: as it came, or None; then `batch_first` and `is_batched` say how it came.
    """

    vectors: torch.Tensor
    sizes: tuple[int, ...]
    packed: PackedSequence | None
    batch_first: bool
    is_batched: bool

    def with_outputs(self, outputs: torch.Tensor) -> torch.Tensor | PackedSequence:
        """Outputs [vector, output] in the form in which the inputs came."""
        if self.packed is not None:
            return PackedSequence(outputs, *self.packed[1:])
        laid_out = outputs.unflatten(0, (len(self.sizes), -1))
        if not self.is_batched:
            return laid_out.squeeze(1)
        return laid_out.transpose(0, 1) if self.batch_first else laid_out

    def start(self, name: str, given: Any, sizes: tuple[int, ...], num_states: int) -> State:
        """States [layer and direction, sequence, size] to begin with: what was `given`, or zeros.

        sizes: of each part of the state. Raises DataError for other shapes.
        """
        if given is None:
            return tuple(self.vectors.new_zeros(num_states, self.sizes[0], size) for size in sizes)
        parts = given if isinstance(given, tuple | list) else (given,)
        if not self.is_batched:
            parts = [part.unsqueeze(1) for part in parts]
        wanted = [(num_states, self.sizes[0], size) for size in sizes]
        if [tuple(part.shape) for part in parts] != wanted:
            got = ", ".join(str(list(part.shape)) for part in parts)
            raise DataError(f"{name}: need states {', '.join(str(list(w)) for w in wanted)}, got {got}")
        return self._ordered(parts, "sorted_indices")

    def end(self, state: State) -> State:
        """Last states in the order and the form in which sequences came."""
        state = self._ordered(state, "unsorted_indices")
        return state if self.is_batched else tuple(part.squeeze(1) for part in state)

    def _ordered(self, state: Any, order: str) -> State:
        indices = None if self.packed is None else getattr(self.packed, order)
        return tuple(state) if indices is None else tuple(part.index_select(1, indices) for part in state)


def lay_out(name: str, given: torch.Tensor | PackedSequence, size: int, batch_first: bool) -> Sequences:
    """Sequences of vectors of this `size`: packed, [time, sequence, size], or [time, size].

    Raises DataError for other shapes.
    """
    if isinstance(given, PackedSequence):
        _check(name, given.data, size, (2,))
        return Sequences(given.data, tuple(given.batch_sizes.tolist()), given, batch_first, True)
    _check(name, given, size, (2, 3))
    is_batched = given.dim() == 3
    timed = given.unsqueeze(1) if not is_batched else given.transpose(0, 1) if batch_first else given
    sizes = (timed.shape[1],) * timed.shape[0]
    return Sequences(timed.flatten(0, 1), sizes, None, batch_first, is_batched)


def _check(name: str, values: torch.Tensor, size: int, axes: tuple[int, ...]) -> None:
    if values.dim() not in axes or values.shape[-1] != size or not values.numel():
        raise DataError(
            f"{name}: need sequences of vectors of {size} numbers, with {' or '.join(map(str, axes))} axes, "
            f"got {list(values.shape)}"
        )
