"""The weights of recurrent layers, in torch's flat order, as matrices of single layers and directions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from crossloom.errors import GraphError

Weight = TypeVar("Weight")
DIRECTIONS = {"forward": (False,), "reverse": (True,), "both": (False, True)}
"""Whether time runs backwards, for each direction of a layer."""


@dataclass(frozen=True)
class Direction(Generic[Weight]):
    """One layer in one direction: weight and bias of the input's product, and of those that states meet."""

    layer: int
    is_reversed: bool
    given: tuple[Weight, Weight | None]
    products: tuple[tuple[Weight, Weight | None], ...]

    @property
    def suffix(self) -> str:
        """What torch.nn adds to the names of its weights: `"l0_reverse"`."""
        return f"l{self.layer}{'_reverse' if self.is_reversed else ''}"


def arrange(
    weights: Sequence[Weight],
    cell: str,
    num_layers: int,
    direction: str,
    cut: Callable[[Weight, bool], Weight],
) -> list[Direction[Weight]]:
    """Layer by layer, each direction of it.

    Args:
        weights: for every layer and direction the input's weight and the state's, both biases or none, and an LSTM's
            projection if it has one.
        cut: the first two thirds of a weight or bias along its outputs, or with True the last.

    Raises:
        GraphError: their number fits no recurrent layer.
    """
    reversals = DIRECTIONS[direction]
    each, rest = divmod(len(weights), num_layers * len(reversals))
    if rest or each not in (2, 3, 4, 5):
        raise GraphError(
            f"{cell}: need 2 to 5 weights for every layer and direction, got {len(weights)} in all; give those of "
            "torch.nn"
        )
    found = []
    for number in range(num_layers * len(reversals)):
        own = weights[number * each : (number + 1) * each]
        biases = (own[2], own[3]) if each > 3 else (None, None)
        products = [(own[1], biases[1])] + ([(own[-1], None)] if each % 2 else [])
        if cell == "gru_reset_first":
            bias = biases[1]
            products = [
                (cut(own[1], last), None if bias is None else cut(bias, last)) for last in (False, True)
            ]
        layer, turn = divmod(number, len(reversals))
        found.append(Direction(layer, reversals[turn], (own[0], biases[0]), tuple(products)))
    return found
