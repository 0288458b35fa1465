"""One small model, run once on the eight-chip system, for all tests of reports."""

from dataclasses import dataclass

import pytest
import torch
from torch import nn

import crossloom as xl


@dataclass(frozen=True)
class Flow:
    """All that a report is made of."""

    placement: xl.Placement
    chips: xl.ProgrammedChips
    result: xl.RunResult
    labels: torch.Tensor


class SmallNetwork(nn.Module):
    """A convolution and two linear layers, the second of which stays digital in the tests."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(1, 4, 3, stride=2)
        self.hidden = nn.Linear(36, 12)
        self.scores = nn.Linear(12, 5)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        features = torch.relu(self.convolution(image)).flatten(1)
        return self.scores(torch.relu(self.hidden(features)))


@pytest.fixture(scope="session")
def flow() -> Flow:
    torch.manual_seed(3)
    model, images = SmallNetwork().eval(), torch.randn(12, 1, 8, 8)
    system = xl.load_system("tsinghua_c200")
    forbidden = tuple(
        xl.ForbiddenRegion(chip=chip, row=100, column=0, num_rows=50, num_columns=20) for chip in range(8)
    )
    placement = xl.compile(
        model,
        system,
        images,
        mapping=xl.MappingConfig(digital=("scores",)),
        placement=xl.PlacementConfig(forbidden=forbidden),
    )
    chips = xl.program(placement, xl.simulate(system, seed=1))
    with torch.no_grad():
        labels = model(images).argmax(1)
    return Flow(placement, chips, xl.run(chips, images), labels)


@pytest.fixture(scope="session")
def report(flow: Flow) -> xl.Report:
    return xl.Report(flow.placement, flow.chips, flow.result, flow.labels)
