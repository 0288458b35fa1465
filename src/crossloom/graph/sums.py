"""ATen calls that are sums of products, in the notation of `einsum`, and what of them a stored matrix can do."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import prod
from string import ascii_letters
from typing import Any

import torch

from crossloom.graph.contraction import Contracted, Labels, Shape, contract
from crossloom.graph.moves import VALUE, Move
from crossloom.graph.nodes import NodeRef, TensorRef
from crossloom.graph.tensors import TensorStore

aten = torch.ops.aten
Arguments = Mapping[str, Any]
Rank = Callable[[Any], int]
_LARGEST_FOLD = 1 << 20


@dataclass(frozen=True)
class Sum:
    """alpha * einsum(operands) + beta * added. `labels` has those of every operand; `added` may be None."""

    operands: tuple[Any, ...]
    labels: tuple[Labels, ...]
    result: Labels
    added: Any = None
    alpha: float = 1
    beta: float = 1


def lower_sum(
    total: Sum | None, shape: Callable[[NodeRef], Shape], store: TensorStore
) -> tuple[NodeRef, Contracted] | None:
    """The value that meets a stored matrix, and how; None where nothing is stored, or crossbars cannot do it.

    Several stored operands become one. Of several computed ones, the first that shares a label with what is stored
    goes through the matrix, and meets the others digitally.
    """
    if total is None or not all(isinstance(operand, NodeRef | TensorRef) for operand in total.operands):
        return None
    pairs = list(zip(total.operands, total.labels, strict=True))
    computed = [(operand, labels) for operand, labels in pairs if isinstance(operand, NodeRef)]
    stored = _fold([pair for pair in pairs if isinstance(pair[0], TensorRef)], computed, total, store)
    if stored is None or not computed or not store[stored[0]].is_floating_point():
        return None
    weight, labels = stored
    first = next((number for number, pair in enumerate(computed) if set(pair[1]) & set(labels)), 0)
    source, values = computed.pop(first)
    result = _meeting(values, labels, computed, total.result)
    found = contract(shape(source), values, weight, labels, result, store)
    if found is None:
        return None
    return source, replace(found, after=found.after + _finish(result, computed, total))


def _fold(
    stored: list[tuple[TensorRef, Labels]],
    computed: list[tuple[NodeRef, Labels]],
    total: Sum,
    store: TensorStore,
) -> tuple[TensorRef, Labels] | None:
    """All stored operands as one, times alpha; None where there are none, or it is much larger than they are."""
    if not stored:
        return None
    weight, labels = stored[0]
    if len(stored) > 1:
        wanted = {label for _, found in computed for label in found} | set(total.result)
        tensors = [store[operand] for operand, _ in stored]
        sizes = {
            label: size
            for tensor, (_, found) in zip(tensors, stored, strict=True)
            for label, size in zip(found, tensor.shape, strict=True)
        }
        labels = tuple(label for label in sizes if label in wanted)
        largest = max(sum(tensor.numel() for tensor in tensors), _LARGEST_FOLD)
        if prod(sizes[label] for label in labels) > largest:
            return None
        terms = ",".join("".join(found) for _, found in stored)
        joined = torch.einsum(f"{terms}->{''.join(labels)}", *tensors)
        weight = store.derive(weight, f"{weight.name}.folded", joined)
    if total.alpha != 1:
        weight = store.derive(weight, f"{weight.name}.scaled", store[weight] * total.alpha)
    return weight, labels


def _meeting(values: Labels, stored: Labels, others: list[tuple[NodeRef, Labels]], result: Labels) -> Labels:
    """The labels of the product with what is stored: the result's own, or all that is still needed afterwards."""
    if not others:
        return result
    needed = {label for _, labels in others for label in labels} | set(result)
    joined = dict.fromkeys((*values, *stored))
    return tuple(label for label in joined if label in needed)


def _finish(result: Labels, others: list[tuple[NodeRef, Labels]], total: Sum) -> tuple[Move, ...]:
    """What is done digitally with the product: it meets the other operands, and what is added."""
    moves: tuple[Move, ...] = ()
    if others:
        terms = ",".join("".join(labels) for labels in (result, *(labels for _, labels in others)))
        equation = f"{terms}->{''.join(total.result)}"
        operands = (VALUE, *(operand for operand, _ in others))
        moves += (Move("met", aten.einsum.default, (equation, operands)),)
    if total.added is not None and total.beta != 0:
        alpha = {} if total.beta == 1 else {"alpha": total.beta}
        moves += (Move("shifted", aten.add.Tensor, (VALUE, total.added), alpha),)
    return moves


def _einsum(bound: Arguments, rank: Rank) -> Sum | None:
    equation, operands = bound["equation"].replace(" ", ""), tuple(bound["tensors"])
    left, arrow, right = equation.partition("->")
    terms = left.split(",")
    free = [letter for letter in ascii_letters if letter not in equation]
    lengths = [
        rank(operand) - len(term.replace("...", "")) for term, operand in zip(terms, operands, strict=True)
    ]
    longest = free[: max(lengths)]

    def spell(term: str, length: int) -> Labels:
        dots = "".join(longest[len(longest) - length :]) if length else ""
        return tuple(term.replace("...", dots))

    if not arrow:
        plain = sorted(letter for letter in set(left) if letter.isalpha() and left.count(letter) == 1)
        right = ("..." if "..." in left else "") + "".join(plain)
    labels = tuple(spell(term, length) for term, length in zip(terms, lengths, strict=True))
    return Sum(operands, labels, spell(right, len(longest)))


def _matmul(bound: Arguments, rank: Rank) -> Sum:
    left, right = bound["self"], bound.get("other", bound.get("mat2"))
    return Sum((left, right), *_matmul_labels(rank(left), rank(right)))


def _matmul_labels(left: int, right: int) -> tuple[tuple[Labels, Labels], Labels]:
    batch = ascii_letters[: max(left, right, 2) - 2]
    ours, theirs = batch[len(batch) - max(left - 2, 0) :], batch[len(batch) - max(right - 2, 0) :]
    rows, columns = ("X",) * (left > 1), ("Z",) * (right > 1)
    return ((*ours, *rows, "Y"), (*theirs, "Y", *columns)), (*batch, *rows, *columns)


def _vector(bound: Arguments, rank: Rank) -> Sum:
    return Sum((bound["self"], bound["vec"]), *_matmul_labels(2, 1))


def _inner(bound: Arguments, rank: Rank) -> Sum:
    left, right = bound["self"], bound["other"]
    ours = tuple(ascii_letters[: rank(left) - 1])
    theirs = tuple(ascii_letters[len(ours) : len(ours) + rank(right) - 1])
    return Sum((left, right), ((*ours, "Y"), (*theirs, "Y")), (*ours, *theirs))


def _tensordot(bound: Arguments, rank: Rank) -> Sum:
    left, right = bound["self"], bound["other"]
    ours = list(ascii_letters[: rank(left)])
    theirs = list(ascii_letters[len(ours) : len(ours) + rank(right)])
    for mine, other in zip(bound["dims_self"], bound["dims_other"], strict=True):
        theirs[other] = ours[mine]
    result = [label for label in ours + theirs if (label in ours) != (label in theirs)]
    return Sum((left, right), (tuple(ours), tuple(theirs)), tuple(result))


def _chain(bound: Arguments, rank: Rank) -> Sum:
    operands = tuple(bound.get("tensors") or bound["matrices"])
    labels = [(ascii_letters[number], ascii_letters[number + 1]) for number in range(len(operands))]
    first, last = labels[0][2 - rank(operands[0]) :], labels[-1][: rank(operands[-1])]
    result = (*first[:-1], *last[1:])
    return Sum(operands, (first, *labels[1:-1], last), result)


def _bilinear(bound: Arguments, rank: Rank) -> Sum:
    batch = tuple(ascii_letters[: rank(bound["input1"]) - 1])
    labels = ((*batch, "X"), ("O", "X", "Y"), (*batch, "Y"))
    operands = (bound["input1"], bound["weight"], bound["input2"])
    return Sum(operands, labels, (*batch, "O"), bound["bias"])


def _linear(bound: Arguments, rank: Rank) -> Sum | None:
    """A stored input times a computed weight."""
    source, weight = bound["input"], bound["weight"]
    batch = tuple(ascii_letters[: rank(source) - 1])
    outputs = ("O",) * (rank(weight) > 1)
    return Sum((source, weight), ((*batch, "I"), (*outputs, "I")), (*batch, *outputs), bound["bias"])


def _added(left: str, right: str, ranks: tuple[int, int]) -> Callable[[Arguments, Rank], Sum]:
    def read(bound: Arguments, rank: Rank) -> Sum:
        labels, result = _matmul_labels(*ranks)
        operands = (bound[left], bound[right])
        return Sum(operands, labels, result, bound["self"], bound["alpha"], bound["beta"])

    return read


def _addbmm(bound: Arguments, rank: Rank) -> Sum:
    total = _added("batch1", "batch2", (3, 3))(bound, rank)
    return replace(total, result=total.result[1:])


SUMS: Mapping[Any, Callable[[Arguments, Rank], Sum | None]] = {
    aten.einsum.default: _einsum,
    aten.matmul.default: _matmul,
    aten.mm.default: _matmul,
    aten.bmm.default: _matmul,
    aten.mv.default: _vector,
    aten.addmm.default: _added("mat1", "mat2", (2, 2)),
    aten.addmv.default: _added("mat", "vec", (2, 1)),
    aten.baddbmm.default: _added("batch1", "batch2", (3, 3)),
    aten.addbmm.default: _addbmm,
    aten.inner.default: _inner,
    aten.tensordot.default: _tensordot,
    aten.linalg_multi_dot.default: _chain,
    aten.chain_matmul.default: _chain,
    aten.bilinear.default: _bilinear,
    aten.linear.default: _linear,
}
"""How every call that is a sum of products is read."""
