"""Blocks of cells as seen from their border, and how two of them become one.

A block is described by a symmetric matrix K over its ports. Of a wire that enters on the left, the voltage is
given and the current is answered; on the right the current is given and the voltage answered; at the top the
current is given, at the bottom the voltage:

    (I_left, V_right, -V_top, -I_bottom) = K (V_left, I_right, I_top, V_bottom).

The minus signs make K symmetric, since a network of resistors is reciprocal. With wires of no resistance K holds
nothing but conductances, zeros and ones: what wires do is a small correction to that, so that no digits are lost
however small their resistance.
"""

from dataclasses import dataclass

import torch

KINDS = ("left", "right", "top", "bottom")
Ports = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Block:
    """matrix: [..., port, port], S, ohm or without unit.  ports: the numbers of the ports of each kind, each
    ordered from left to right or from the top down."""

    matrix: torch.Tensor
    ports: Ports

    def without(self, *kinds: str) -> "Block":
        """The same block with the ports of these kinds left open: no current, and nobody asks for the voltage."""
        kept = {kind: index for kind, index in self.ports.items() if kind not in kinds}
        order = torch.cat(list(kept.values()))
        return Block(gather(self.matrix, order, order), _renumbered(kept))


@dataclass(frozen=True)
class Joint:
    """Where two blocks met, or where a block's open ends were closed: all that sweeps need.

    With x of the outer ports, first's then second's, and with a, b the answers of both blocks at the joint that
    sources within them make: what first takes there is `take.T x + P a + s N b`, what second takes
    `give.T x + s N.T a + Q b`.
    """

    take: torch.Tensor
    give: torch.Tensor | None
    inner: tuple[torch.Tensor, torch.Tensor, torch.Tensor] | None
    sign: float
    first_outer: torch.Tensor
    first_inner: torch.Tensor
    second_outer: torch.Tensor | None
    second_inner: torch.Tensor | None

    def split(
        self, outer: torch.Tensor, answers: tuple[torch.Tensor, torch.Tensor] | None = None
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """What the ports of both blocks are given, [..., port, vector], when the outer ones are given `outer`.

        answers: of the joint's ports, first's and second's, to sources within the blocks.
        """
        taken = self.take.mT @ outer
        own = None if answers is None else self._from_sources(answers)
        if own is not None:
            taken += own[0]
        first = _put(outer[..., : len(self.first_outer), :], taken, self.first_outer, self.first_inner)
        if self.give is None or self.second_outer is None or self.second_inner is None:
            return first, None
        given = self.give.mT @ outer
        if own is not None:
            given += own[1]
        return first, _put(
            outer[..., len(self.first_outer) :, :], given, self.second_outer, self.second_inner
        )

    def unite(
        self, first: torch.Tensor, second: torch.Tensor | None
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
        """Answers of the outer ports to sources within the blocks, and those of the joint's own ports.

        first, second: answers of all ports of each block, [..., port, vector], with nothing given to them.
        """
        a = first[..., self.first_inner, :]
        if self.give is None or second is None or self.second_inner is None:
            far = self.take.new_zeros(*a.shape)
            outer = torch.cat([first[..., self.first_outer, :], far], -2)
            return outer + self.take @ a, (a, a)
        b = second[..., self.second_inner, :]
        outer = torch.cat([first[..., self.first_outer, :], second[..., self.second_outer, :]], -2)
        return outer + self.take @ a + self.give @ b, (a, b)

    def pull_back(self, slope: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        """From the gradient with respect to the joined matrix, symmetric, to those of both blocks' matrices."""
        num = len(self.first_outer)
        first = _pull(slope, self.take, slice(0, num), self.first_outer, self.first_inner)
        if self.give is None or self.second_outer is None or self.second_inner is None:
            return first, None
        rest = slice(num, slope.shape[-1])
        return first, _pull(slope, self.give, rest, self.second_outer, self.second_inner)

    def _from_sources(self, answers: tuple[torch.Tensor, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        assert self.inner is not None
        n, p, q = self.inner
        a, b = answers
        if self.give is None:
            return p @ a, a
        return p @ a + self.sign * (n @ b), self.sign * (n.mT @ a) + q @ b


def _put(outer: torch.Tensor, inner: torch.Tensor, where: torch.Tensor, joint: torch.Tensor) -> torch.Tensor:
    whole = outer.new_empty(*outer.shape[:-2], len(where) + len(joint), outer.shape[-1])
    whole[..., where, :] = outer
    whole[..., joint, :] = inner
    return whole


def _pull(
    slope: torch.Tensor, response: torch.Tensor, part: slice, outer: torch.Tensor, inner: torch.Tensor
) -> torch.Tensor:
    reached = slope @ response
    size = len(outer) + len(inner)
    whole = slope.new_empty(*slope.shape[:-2], size, size)
    whole[..., outer.unsqueeze(1), outer] = slope[..., part, part]
    whole[..., outer.unsqueeze(1), inner] = reached[..., part, :]
    whole[..., inner.unsqueeze(1), outer] = reached[..., part, :].mT
    whole[..., inner.unsqueeze(1), inner] = response.mT @ reached
    return whole


def gather(matrix: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    """matrix[..., rows, columns], every row with every column."""
    return matrix[..., rows.unsqueeze(1), columns]


def cells(gamma: torch.Tensor, before: torch.Tensor, behind: torch.Tensor) -> Block:
    """Single cells: K = K0 + gamma w w^T, with w from `cell_vector`; all arguments of one shape."""
    w = cell_vector(before, behind)
    matrix = gamma[..., None, None] * w.unsqueeze(-1) * w.unsqueeze(-2)
    matrix[..., 0, 1] += 1
    matrix[..., 1, 0] += 1
    matrix[..., 2, 3] -= 1
    matrix[..., 3, 2] -= 1
    matrix[..., 1, 1] -= before
    matrix[..., 2, 2] -= behind
    numbers = torch.arange(4, device=gamma.device).split(1)
    return Block(matrix, dict(zip(KINDS, numbers, strict=True)))


def cell_vector(before: torch.Tensor, behind: torch.Tensor) -> torch.Tensor:
    """The current through a cell is gamma w . (V_left, I_right, I_top, V_bottom): [..., 4]."""
    one = torch.ones_like(before)
    return torch.stack([one, -before, -behind, -one], -1)


def beside(left: Block, right: Block, keep: bool) -> tuple[Block, Joint | None]:
    """Two blocks side by side."""
    return _join(left, "right", right, "left", 1.0, keep)


def below(upper: Block, lower: Block, keep: bool) -> tuple[Block, Joint | None]:
    """Two blocks, one above the other."""
    return _join(lower, "top", upper, "bottom", -1.0, keep)


def _join(
    first: Block, first_kind: str, second: Block, second_kind: str, sign: float, keep: bool
) -> tuple[Block, Joint | None]:
    """Join the ports of `first`, which answer to a current with a voltage, to those of `second`."""
    inner1, inner2 = first.ports[first_kind], second.ports[second_kind]
    ports, outer1, outer2 = _outer_ports(first, first_kind, second, second_kind)
    a, b = gather(first.matrix, outer1, inner1), gather(second.matrix, outer2, inner2)
    impedance, admittance = gather(first.matrix, inner1, inner1), gather(second.matrix, inner2, inner2)
    n = _inverse(admittance, impedance)
    an = a @ n
    ap, bq = an @ admittance, b @ (impedance @ n)
    num1, num2 = len(outer1), len(outer2)
    matrix = a.new_empty(*a.shape[:-2], num1 + num2, num1 + num2)
    matrix[..., :num1, :num1] = gather(first.matrix, outer1, outer1).add_(ap @ a.mT)
    matrix[..., num1:, num1:] = gather(second.matrix, outer2, outer2).add_(bq @ b.mT)
    cross = (an @ b.mT).mul_(sign)
    matrix[..., :num1, num1:] = cross
    matrix[..., num1:, :num1] = cross.mT
    joint = None
    if keep:
        take = torch.cat([ap, sign * (b @ n.mT)], -2)
        give = torch.cat([sign * an, bq], -2)
        inner = (n, n @ admittance, impedance @ n)
        joint = Joint(take, give, inner, sign, outer1, inner1, outer2, inner2)
    return Block(matrix, ports), joint


def close(block: Block, kind: str, resistance: float, sign: float, keep: bool) -> tuple[Block, Joint | None]:
    """End the ports of one kind in a resistance behind which a voltage is given, as new ports "far".

    sign: -1 at the right, where the block is driven, +1 at the top, where currents enter it.
    """
    inner = block.ports[kind]
    outer = torch.cat([index for name, index in block.ports.items() if name != kind])
    a, impedance = gather(block.matrix, outer, inner), gather(block.matrix, inner, inner)
    conductance = torch.linalg.inv(resistance * _identity(impedance) - impedance)
    ap = a @ conductance
    num, size = len(outer), len(inner)
    matrix = a.new_empty(*a.shape[:-2], num + size, num + size)
    matrix[..., :num, :num] = gather(block.matrix, outer, outer).add_(ap @ a.mT)
    matrix[..., :num, num:] = sign * ap
    matrix[..., num:, :num] = sign * ap.mT
    matrix[..., num:, num:] = conductance
    kept = {name: index for name, index in block.ports.items() if name != kind}
    far = torch.arange(num, num + size, device=inner.device)
    joint = None
    if keep:
        take = torch.cat([ap, sign * conductance], -2)
        joint = Joint(take, None, (conductance, conductance, conductance), sign, outer, inner, None, None)
    return Block(matrix, {**_renumbered(kept), "far " + kind: far}), joint


def _inverse(admittance: torch.Tensor, impedance: torch.Tensor) -> torch.Tensor:
    """(1 - admittance impedance)^-1; its eigenvalues lie between 0 and 1."""
    if admittance.shape[-1] == 1:
        return (1 - admittance * impedance).reciprocal_()
    return torch.linalg.inv(_identity(admittance) - admittance @ impedance)


def _identity(like: torch.Tensor) -> torch.Tensor:
    return torch.eye(like.shape[-1], dtype=like.dtype, device=like.device)


def _outer_ports(
    first: Block, first_kind: str, second: Block, second_kind: str
) -> tuple[Ports, torch.Tensor, torch.Tensor]:
    """The ports of both blocks together, and how the outer ones of each are numbered in it."""
    kept1 = {kind: index for kind, index in first.ports.items() if kind != first_kind}
    kept2 = {kind: index for kind, index in second.ports.items() if kind != second_kind}
    num1 = sum(map(len, kept1.values()))
    new1 = _renumbered(kept1)
    new2 = {kind: index + num1 for kind, index in _renumbered(kept2).items()}
    pairs = (new1, new2) if first_kind == "right" else (new2, new1)  # left to right, and from the top down
    kinds = [kind for kind in KINDS if kind in new1 or kind in new2]
    empty = torch.empty(0, dtype=torch.int64, device=next(iter(first.ports.values())).device)
    ports = {kind: torch.cat([part.get(kind, empty) for part in pairs]) for kind in kinds}
    return ports, torch.cat(list(kept1.values())), torch.cat(list(kept2.values()))


def _renumbered(kept: Ports) -> Ports:
    start, ports = 0, {}
    for kind, index in kept.items():
        ports[kind] = torch.arange(start, start + len(index), device=index.device)
        start += len(index)
    return ports
