"""Writes docs/operations.md: `python tests/architectures/operations_page.py`."""

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from architecture import Architecture
from catalogue import ALL, Compiled, compiled
from torch import nn

from crossloom.graph import REFUSED, lowered_operations
from crossloom.mapping import NodeCoverage, activation_writes, share_in_memory

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"
_INTRODUCTION = """# Operations

What becomes of a network's operations: which run in crossbars, which on the digital unit, which are refused.
This page is made by `python tests/architectures/operations_page.py`, and a test holds it to what the code does.

## By operation

| operation of ATen | where it runs |
|---|---|
"""
_PARTS = """
Whatever becomes a matrix in memory is quantised, cut into tiles and programmed like a linear layer; the digital
unit brings values into its layout and out again. Transposed convolutions become convolutions with all phases as
output channels (see [decision 0019](decisions/0019-transposed-convolutions-are-convolutions.md)). One stored
tensor takes its cells once, however many layers multiply by it, when its inputs come in the same codes. Axes
besides the batch may be dynamic up to a bound: `compile(..., dynamic={"tokens": {1: 128}})`.

## By part of a network

Over the architectures below: the share of each part's multiplications that crossbars do.

| part | share in memory | multiplications | found in |
|---|---|---|---|
"""
_NETWORKS = """
Products of two activations stay on the digital unit: written into cells they would be written anew for every
sample. The last column below says how many cells that would be (`mapping.activation_writes`); each would bear
one write per sample, so cells that endure 10^8 writes would last for 10^8 samples.

## By architecture

Small networks with random weights, each of the published kind; compiled for the `ideal` system, they give just
what the integer interpreter gives. Sequences of dynamic length count at their greatest.

| architecture | source | share in memory | matrices | tiles | written per sample, if at all |
|---|---|---|---|---|---|
"""


def page() -> str:
    """The page as it should be; compiles every architecture."""
    found = [compiled(name) for name in ALL]
    parts = "".join(_part_row(*each) for each in _by_part(found))
    networks = "".join(network_row(each.architecture, each) for each in found)
    return _INTRODUCTION + operation_rows() + _PARTS + parts + _NETWORKS + networks


def operation_rows() -> str:
    """What the code says of operations, without compiling anything."""
    names = ", ".join(f"`{name}`" for name in lowered_operations())
    rows = [
        (
            names,
            "in memory, where one operand is stored; several stored operands are multiplied at compile time",
        ),
        (
            "`lstm`, `gru`, `rnn_tanh`, `rnn_relu` and their cells",
            "in memory: the products with inputs and with states; gates and states are digital",
        ),
        ("sums of products of two activations", "digital"),
        (
            "`embedding`",
            "looked up digitally; in memory, read by one-hot inputs, with `MappingConfig(one_hot=(layer,))`",
        ),
        ("every other functional operation", "digital"),
    ]
    rows += [(f"`{name}`", f"refused: {why}") for name, why in REFUSED.items()]
    return "".join(f"| {operation} | {where} |\n" for operation, where in rows)


def network_row(architecture: Architecture, found: Compiled) -> str:
    """The row of one architecture."""
    mapped = found.placement.mapped
    writes = sum(each.cells for each in activation_writes(mapped))
    numbers = f"{len(mapped.schemes)} | {len(mapped.tiles)} | {f'{writes:,} cells' if writes else ''}"
    return f"{stated_row(architecture)} {numbers} |\n"


def stated_row(architecture: Architecture) -> str:
    """What of an architecture's row stands in the list of architectures."""
    return f"| {architecture.name} | {architecture.source} | {architecture.share:.1%} |"


def _by_part(found: Iterable[Compiled]) -> list[tuple[str, list[NodeCoverage], list[str]]]:
    """Rows of products by the part of a network that they belong to, and who has it."""
    rows: dict[str, list[NodeCoverage]] = defaultdict(list)
    homes: dict[str, dict[str, None]] = defaultdict(dict)
    for each in found:
        for row in each.rows:
            if row.macs:
                part = _part(each.model, row)
                rows[part].append(row)
                homes[part][each.architecture.name] = None
    return [(part, rows[part], list(homes[part])) for part in sorted(rows)]


def _part(model: nn.Module, row: NodeCoverage) -> str:
    """The layer of torch that a product belongs to, or the product itself where a network writes it out."""
    path = row.layer.split(".") if row.layer else []
    for depth in range(1, len(path) + 1):
        layer = model.get_submodule(".".join(path[:depth]))
        kind = type(layer)
        is_container = (
            isinstance(layer, nn.Sequential | nn.ModuleList | nn.Transformer)
            or "Transformer" in kind.__name__
        )
        if kind.__module__.startswith("torch.nn.modules") and not is_container:
            return f"`nn.{kind.__name__}`"
    if row.where == "memory":
        return "a product with a stored tensor in `forward`"
    return f"`{row.operation.split('.')[1]}` of two activations in `forward`"


def _part_row(part: str, rows: list[NodeCoverage], homes: list[str]) -> str:
    share, macs = share_in_memory(rows), sum(row.macs or 0 for row in rows)
    named = ", ".join(homes[:3]) + (f" and {len(homes) - 3} more" if len(homes) > 3 else "")
    return f"| {part} | {share:.1%} | {macs:,} | {named} |\n"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
