"""The last few blocks of a crossbar, joined one by one without the ports that end in nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from crossloom.circuits.wires.blocks import KINDS, Block, Joint, below, beside, close
from crossloom.circuits.wires.segments import Segments

Put = Callable[[int, int, torch.Tensor], None]
Take = Callable[[int, int], torch.Tensor]


@dataclass(frozen=True)
class Single:
    """One block of the grid; kept: those of its ports that lead somewhere."""

    row: int
    column: int
    kept: torch.Tensor
    num_ports: int

    def num_blocks(self, axis: int) -> int:
        """How many blocks along an axis: 1, rows, or 2, columns."""
        return 1

    def down(self, outer: torch.Tensor, answers: Any, put: Put, own: int | None = None) -> None:
        whole = outer.new_zeros(*outer.shape[:-2], self.num_ports, outer.shape[-1])
        whole[..., self.kept, :] = outer
        put(self.row, self.column, whole)

    def up(self, take: Take) -> tuple[torch.Tensor, Any]:
        return take(self.row, self.column)[..., self.kept, :], None

    def pull_back(self, slope: torch.Tensor, put: Put) -> None:
        whole = slope.new_zeros(*slope.shape[:-2], self.num_ports, self.num_ports)
        whole[..., self.kept.unsqueeze(1), self.kept] = slope
        put(self.row, self.column, whole)


@dataclass(frozen=True)
class Joined:
    """Two parts and their joint; or one part, and the joint at which its ends are closed."""

    joint: Joint
    first: "Single | Joined"
    second: "Single | Joined | None"

    @property
    def axis(self) -> int | None:
        """The axis along which both parts lie: 1, one above the other, or 2, side by side."""
        return None if self.second is None else 1 if self.joint.sign < 0 else 2

    def num_blocks(self, axis: int) -> int:
        """How many blocks along an axis: 1, rows, or 2, columns."""
        others = 0 if self.second is None or self.axis != axis else self.second.num_blocks(axis)
        return self.first.num_blocks(axis) + others

    def down(self, outer: torch.Tensor, answers: Any, put: Put, own: int | None = None) -> None:
        known, one, other = answers if answers is not None else (None, None, None)
        first, second = self.joint.split(outer, known)
        if self.second is None or second is None:
            self.first.down(first, one, put, own)
            return
        if own is not None and own == self.axis:
            first, second = self._own(first, second, own)
        self.first.down(first, one, put, own)
        self.second.down(second, other, put, own)

    def _own(self, first: torch.Tensor, second: torch.Tensor, axis: int) -> tuple[torch.Tensor, torch.Tensor]:
        """The vectors of each part's own lines; of two parts one above the other, the lower one is the first."""
        assert self.second is not None
        each = first.shape[-1] // self.num_blocks(axis)
        num_first, num_second = each * self.first.num_blocks(axis), each * self.second.num_blocks(axis)
        if axis == 1:
            return first[..., num_second:], second[..., :num_second]
        return first[..., :num_first], second[..., num_first:]

    def up(self, take: Take) -> tuple[torch.Tensor, Any]:
        first, one = self.first.up(take)
        second, other = self.second.up(take) if self.second is not None else (None, None)
        outer, own = self.joint.unite(first, second)
        return outer, (own, one, other)

    def pull_back(self, slope: torch.Tensor, put: Put) -> None:
        first, second = self.joint.pull_back(slope)
        self.first.pull_back(first, put)
        if self.second is not None and second is not None:
            self.second.pull_back(second, put)


Part = Single | Joined


def assemble(blocks: Block, ends: Segments, keep: bool) -> tuple[Block, Part | None]:
    """The whole crossbar from its last blocks [batch, row, column, port, port]; parts are None unless kept."""
    whole, part = _build(blocks, ends, (0, blocks.matrix.shape[1]), (0, blocks.matrix.shape[2]), keep)
    for kind, resistance, sign in (("right", ends.right, -1.0), ("top", ends.top, 1.0)):
        if resistance is not None:
            whole, joint = close(whole, kind, resistance, sign, keep)
            part = Joined(joint, part, None) if joint is not None and part is not None else None
    return whole, part


def _build(
    blocks: Block, ends: Segments, rows: tuple[int, int], columns: tuple[int, int], keep: bool
) -> tuple[Block, Part | None]:
    (top, bottom), (left, right) = rows, columns
    if bottom - top == 1 and right - left == 1:
        return _single(blocks, ends, top, left, keep)
    height = (bottom - top) * len(blocks.ports["left"])
    width = (right - left) * len(blocks.ports["top"])
    if right - left > 1 and (width > height or bottom - top == 1):
        middle = (left + right) // 2
        one, one_part = _build(blocks, ends, rows, (left, middle), keep)
        other, other_part = _build(blocks, ends, rows, (middle, right), keep)
        whole, joint = beside(one, other, keep)
    else:
        middle = (top + bottom) // 2
        other, other_part = _build(blocks, ends, (top, middle), columns, keep)
        one, one_part = _build(blocks, ends, (middle, bottom), columns, keep)
        whole, joint = below(other, one, keep)
    if joint is None or one_part is None:
        return whole, None
    return whole, Joined(joint, one_part, other_part)


def _single(blocks: Block, ends: Segments, row: int, column: int, keep: bool) -> tuple[Block, Part | None]:
    num_columns = blocks.matrix.shape[2]
    block = Block(blocks.matrix[:, row, column], blocks.ports)
    is_open = {
        "right": column == num_columns - 1 and ends.right is None,
        "top": row == 0 and ends.top is None,
    }
    unused = [kind for kind in KINDS if is_open.get(kind, False)]
    num_ports = block.matrix.shape[-1]
    kept = torch.arange(num_ports, device=block.matrix.device)
    if unused:
        kept = torch.cat([index for kind, index in block.ports.items() if kind not in unused])
        block = block.without(*unused)
    return block, Single(row, column, kept, num_ports) if keep else None
