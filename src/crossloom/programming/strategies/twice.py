"""Program twice: write, let cells relax, and write again those that drifted out."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import isfinite

import torch

from crossloom.artefacts import saved
from crossloom.errors import ConfigError, ProgramError
from crossloom.hardware import Backend, Region, Timed
from crossloom.programming.strategies.strategy import Block, Strategy, Written, check_choices
from crossloom.programming.strategies.write_verify import WriteVerify
from crossloom.spec import MacroAddress


@saved
@dataclass(frozen=True)
class ProgramTwice(Strategy):
    """Write all regions by `strategy`, wait, read, and write again what has left its tolerance meanwhile.

    wait: s before each re-check.  rounds: how often to wait and re-check.  tolerance: S at the re-check; None is
    that of the strategy. Cells that stayed are given what was measured of them as their target, so that a strategy
    that verifies leaves them alone. Needs a backend that knows time.
    """

    strategy: Strategy = field(default_factory=WriteVerify)
    wait: float = 1.0
    rounds: int = 1
    tolerance: float | None = None

    def __post_init__(self) -> None:
        check_choices(self.tolerance, None)
        if not (self.wait > 0 and isfinite(self.wait)):
            raise ConfigError(f"need wait > 0 seconds, got {self.wait}")
        if self.rounds < 1:
            raise ConfigError(f"need rounds >= 1, got {self.rounds}")

    def tolerance_for(self, backend: Backend) -> float | None:
        return self.tolerance or self.strategy.tolerance_for(backend)

    def check(self, backend: Backend) -> None:
        self.strategy.check(backend)
        if not isinstance(backend, Timed):
            raise ProgramError(
                f"a {type(backend).__name__} cannot let time pass, so nothing relaxes; use "
                f"{type(self.strategy).__name__}() alone"
            )
        if self.strategy.tolerance_for(backend) is None:
            raise ProgramError(
                f"{type(self.strategy).__name__} verifies nothing, and would write again what is well; use "
                "ProgramTwice(WriteVerify())"
            )

    def write(
        self, backend: Backend, address: MacroAddress, region: Region, targets: torch.Tensor
    ) -> Written:
        return self.write_all(backend, [Block(address, region, targets)])[0]

    def write_all(self, backend: Backend, blocks: Sequence[Block]) -> list[Written]:
        """All blocks wait together."""
        self.check(backend)
        assert isinstance(backend, Timed)
        written = [
            self.strategy.write(backend, block.address, block.region, block.targets) for block in blocks
        ]
        for _ in range(self.rounds):
            backend.wait(self.wait)
            written = [
                self._again(backend, block, before) for block, before in zip(blocks, written, strict=True)
            ]
        return written

    def _again(self, backend: Backend, block: Block, before: Written) -> Written:
        """Re-check one block, and write again what drifted out."""
        measured = backend.read(block.address, block.region).to(block.targets)
        tolerance = self.tolerance_for(backend)
        assert tolerance is not None
        drifted = (measured - block.targets).abs() > tolerance
        read = None if before.num_reads is None else before.num_reads + 1
        path = None if before.trajectory is None else torch.cat([before.trajectory, measured[None].float()])
        before = replace(before, failed=drifted, num_reads=read, trajectory=path)
        if not drifted.any():
            return before
        wanted = torch.where(drifted, block.targets, measured)
        after = before.then(self.strategy.write(backend, block.address, block.region, wanted))
        return replace(after, failed=after.failed & drifted)
