"""Small placements with times, for tests of schedules and their checks."""

import torch

from crossloom.pipeline import compile
from crossloom.placement import PipelineTimes, Placement, PlacementConfig
from crossloom.spec import SystemSpec, load_system
from flows import MACRO, normal, place_graph
from small_graphs import attention_like_graph, chain_graph


def small_system(num_chips: int, num_rows: int = 16, num_columns: int = 16, **overrides) -> SystemSpec:
    """Ideal chips of one macro each."""
    return load_system(
        "ideal",
        {
            "num_chips": num_chips,
            "chip.num_cores": 1,
            "chip.core.num_macros": 1,
            f"{MACRO}.crossbar.num_rows": num_rows,
            f"{MACRO}.crossbar.num_columns": num_columns,
            **overrides,
        },
    )


def chain_placement(system: SystemSpec | None = None, **config) -> Placement:
    """Two linear layers, of several tiles each."""
    graph = chain_graph(normal(12, 20), normal(6, 12))
    return place_graph(
        graph, normal(4, 20), system or small_system(12), placement=PlacementConfig(effort=0, **config)
    )


def convolutions_on_chips(side: int) -> Placement:
    """Two convolutions and a linear layer on the eight-chip system, for images of three channels and this side."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3, padding=1),
        torch.nn.ReLU(),
        torch.nn.Conv2d(8, 8, 3, padding=1, stride=2),
        torch.nn.Flatten(),
        torch.nn.Linear(8 * (side // 2) ** 2, 5),
    ).eval()
    return compile(model, load_system("tsinghua_c200"), data=torch.randn(16, 3, side, side))


def token_placement(system: SystemSpec | None = None, num_tokens: int = 6, **config) -> Placement:
    """Two layers that meet a vector for every token."""
    graph = attention_like_graph(normal(6, 4), normal(3, 6), num_tokens=num_tokens)
    config = PlacementConfig(effort=0, **config)
    return place_graph(graph, normal(4, num_tokens, 4), system or small_system(8), placement=config)


def times_of(placement: Placement, mvm: float = 1e-6, **others) -> PipelineTimes:
    """One time for every MVM; converters take a sixteenth of it for a column, the digital unit half for a layer."""
    layers = placement.mapped.tiles_of
    times = {
        "mvm": {layer: (mvm,) * len(tiles) for layer, tiles in layers.items()},
        "conversion": dict.fromkeys(layers, mvm / 16),
        "digital": dict.fromkeys(layers, mvm / 2),
        "bit": mvm / 1000,
    }
    return PipelineTimes(**{**times, **others})
