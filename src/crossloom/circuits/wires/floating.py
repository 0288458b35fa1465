"""Lines of a crossbar whose ends lead nowhere."""

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Floating:
    """Ends of lines that lead nowhere, while vectors of voltages are given at all others.

    ports: [batch, port, vector].  inverse: ohm, [batch, vector, port, port], from the currents that would flow
    into these ends at 0 V to the voltages that they reach instead, less the sign.
    """

    ports: torch.Tensor
    inverse: torch.Tensor

    @classmethod
    def among(cls, matrix: torch.Tensor, ports: torch.Tensor) -> "Floating":
        """Those of the ends, [batch, port, vector], of a crossbar with this matrix, [batch, port, port].

        Lines that meet nothing but one another stay at 0 V on average.
        """
        mask = ports.mT.to(matrix)
        inner = matrix.unsqueeze(1) * mask.unsqueeze(-1) * mask.unsqueeze(-2)
        return cls(ports, torch.linalg.pinv(inner, hermitian=True))

    def settle(self, matrix: torch.Tensor, outer: torch.Tensor, own: torch.Tensor | None) -> torch.Tensor:
        """What is given at all ends, [batch, port, vector], with the voltages at which nothing flows at these.

        own: answers of the ends to sources within the crossbar.
        """
        held = outer.masked_fill(self.ports, 0.0)
        answers = matrix @ held if own is None else matrix @ held + own
        flowing = answers.masked_fill(~self.ports, 0.0)
        return held - (self.inverse @ flowing.mT.unsqueeze(-1)).squeeze(-1).mT

    def only(self, vectors: torch.Tensor) -> "Floating":
        """Some of the vectors."""
        return Floating(self.ports[..., vectors], self.inverse[:, vectors])
