"""Blocks of one shape on a grid, joined with their neighbours in one batch."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from crossloom.circuits.wires.blocks import Block, Joint, below, beside

Answers = tuple[torch.Tensor, torch.Tensor]


@dataclass(frozen=True)
class Fold:
    """Neighbouring blocks of a grid [batch, row, column, ...] joined along an axis, `count` at a time."""

    axis: int
    count: int
    joints: tuple[Joint, ...]

    def down(
        self, outer: torch.Tensor, answers: Sequence[Answers] | None, own: int | None = None
    ) -> torch.Tensor:
        """From what the joined blocks are given to what the parts are given.

        own: vectors belong to the lines across this axis, in order, and each part keeps those of its own lines.
        """
        parts = []
        each = outer.shape[-1] // self.count if own == self.axis else 0
        for number in reversed(range(len(self.joints))):
            known = None if answers is None else answers[number]
            one, other = self.joints[number].split(outer, known)
            outer, part = self._in_order(one, other)
            if each:
                outer, part = outer[..., :-each], part[..., -each:]
            parts.append(part)
        parts.append(outer)
        return self._interleave(parts[::-1])

    def up(self, answers: torch.Tensor) -> tuple[torch.Tensor, list[Answers]]:
        """From the answers of the parts to sources within them to those of the joined blocks."""
        parts, kept = self._parts(answers), []
        joined = parts[0]
        for joint, part in zip(self.joints, parts[1:], strict=True):
            joined, own = joint.unite(*self._in_order(joined, part))
            kept.append(own)
        return joined, kept

    def pull_back(self, slope: torch.Tensor) -> torch.Tensor:
        """From the gradient with respect to the joined matrices to those of the parts."""
        parts = []
        for joint in reversed(self.joints):
            slope, part = self._in_order(*joint.pull_back(slope))
            parts.append(part)
        parts.append(slope)
        return self._interleave(parts[::-1])

    def _in_order(self, one: torch.Tensor, other: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
        """Joints name the lower of two blocks first, grids the upper one; of two side by side both begin left."""
        assert other is not None
        return (one, other) if self.axis == 2 else (other, one)

    def _parts(self, whole: torch.Tensor) -> list[torch.Tensor]:
        return [_every(whole, self.axis, number, self.count) for number in range(self.count)]

    def _interleave(self, parts: list[torch.Tensor]) -> torch.Tensor:
        return torch.stack(parts, self.axis + 1).flatten(self.axis, self.axis + 1)


def fold(blocks: Block, axis: int, count: int, keep: bool) -> tuple[Block, Fold]:
    """Join `count` neighbours at a time."""
    parts = [Block(_every(blocks.matrix, axis, number, count), blocks.ports) for number in range(count)]
    joined, joints = parts[0], []
    for part in parts[1:]:
        joined, joint = beside(joined, part, keep) if axis == 2 else below(joined, part, keep)
        joints.append(joint)
    return joined, Fold(axis, count, tuple(joints))


def _every(whole: torch.Tensor, axis: int, start: int, step: int) -> torch.Tensor:
    index = [slice(None)] * whole.dim()
    index[axis] = slice(start, None, step)
    return whole[tuple(index)]
