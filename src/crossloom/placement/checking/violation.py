"""What a check finds."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Violation:
    """A rule that is broken, and where."""

    rule: str
    message: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.message}"
