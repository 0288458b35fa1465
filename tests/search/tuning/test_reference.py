"""What chips are tuned towards where nobody says it, and there are no labels to tell."""

import pytest
import torch
from torch import nn
from tuning_cases import INPUTS, c200

import crossloom as xl
from crossloom.quant import LearnedLayer
from crossloom.search.tuning import LayerByLayer, choose_reference


def network(num_learned: int, **learned) -> nn.Module:
    """Three layers, of which the first so many learned their steps."""
    torch.manual_seed(0)
    layers = [nn.Linear(40, 24), nn.Linear(24, 12), nn.Linear(12, 5)]
    for layer in layers[:num_learned]:
        layer.weight.data = torch.randint(-7, 8, layer.weight.shape) * 0.05
        layer.learned = LearnedLayer(
            weight_step=torch.tensor(0.05),
            weight_bits=4,
            input_step=0.2,
            input_bits=4,
            input_is_signed=True,
            **learned,
        )
    return nn.Sequential(*layers).eval()


@pytest.mark.parametrize(
    ("num_learned", "learned", "kind"),
    [
        (3, {"output_step": 0.05}, "nominal"),
        (2, {"integration_time": 20.0}, "nominal"),
        (1, {"output_step": 0.05}, "exact"),
        (3, {}, "exact"),  # as from a quantised ONNX file: integers and steps, but no converter
    ],
)
def test_networks_that_know_their_converters_keep_what_these_do(num_learned, learned, kind, tmp_path):
    system = c200()
    placement = xl.compile(network(num_learned, **learned), system, data=INPUTS[:32])
    placement.save(tmp_path / "placement.xloom")
    chips = xl.attach(xl.Placement.load(tmp_path / "placement.xloom"), xl.simulate(system))
    assert choose_reference(chips, INPUTS, LayerByLayer()).kind == kind
    assert choose_reference(chips, INPUTS, LayerByLayer(reference="exact")).kind == "exact"
