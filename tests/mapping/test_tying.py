"""One stored tensor takes its cells once, however many layers multiply by it."""

import pytest
import torch
from torch import nn

import crossloom as xl
from crossloom.mapping import MappedGraph
from crossloom.training import tune_in_the_loop
from flows import noisy_system

IDEAL = xl.load_system("ideal")


class Twice(nn.Module):
    """One layer that two others surround, used twice; and a head whose weight is the embedding's."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(12, 6)
        self.shared = nn.Linear(6, 6)
        self.head = nn.Linear(6, 12, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        x = torch.tanh(self.shared(self.embedding(tokens)))
        return self.head(torch.tanh(self.shared(x)))


TOKENS = torch.randint(0, 12, (5, 4), generator=torch.Generator().manual_seed(0))


def mapped_of(system: xl.SystemSpec = IDEAL, **choices: object) -> MappedGraph:
    torch.manual_seed(0)
    return compiled(system, **choices).mapped


def compiled(system: xl.SystemSpec = IDEAL, **choices: object) -> xl.Placement:
    torch.manual_seed(0)
    return xl.compile(Twice().eval(), system, TOKENS, mapping=xl.MappingConfig(**choices))


def test_layers_that_share_a_tensor_share_its_tiles():
    mapped = mapped_of()
    assert mapped.tied == {"shared_1": "shared"}
    assert mapped.tiles_of["shared_1"] == mapped.tiles_of["shared"]
    assert {tile.layer for tile in mapped.tiles} == {"shared", "head"}
    assert "1 share the cells of others" in mapped.summary()


def test_each_use_keeps_an_input_step_of_its_own():
    layers = mapped_of().quantized.layers
    assert layers["shared"].input_step != layers["shared_1"].input_step


def test_chips_with_shared_cells_give_the_integer_interpreters_answer():
    placement = compiled()
    chips = xl.program(placement, xl.SimulatedBackend(IDEAL))
    assert len(placement.sites) == len(placement.mapped.tiles)
    on_chip = xl.run(chips, TOKENS)
    assert torch.equal(on_chip.outputs, xl.run(chips, TOKENS, mode="integer").outputs)
    assert on_chip.counts["shared"] == on_chip.counts["shared_1"]


@pytest.mark.parametrize(
    "choices",
    [{"share_tied": False}, {"layers": {"shared_1": xl.LayerMappingConfig(copies=2)}}],
)
def test_cells_are_not_shared_where_that_was_not_asked_for_or_choices_differ(choices):
    mapped = mapped_of(**choices)
    assert mapped.tied == {}
    assert {tile.layer for tile in mapped.tiles} == {"shared", "shared_1", "head"}


def test_inputs_of_another_sign_take_cells_of_their_own():
    class Signs(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.shared = nn.Linear(6, 6)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.shared(torch.relu(self.shared(x)))

    placement = xl.compile(Signs().eval(), IDEAL, torch.randn(4, 6))
    assert placement.mapped.tied == {}


def test_a_shared_tile_has_one_integration_time_that_suits_all_its_uses():
    system = noisy_system()
    apart = mapped_of(system, share_tied=False)
    both = mapped_of(system)
    (shared,) = both.tiles_of["shared"]
    times = [apart.tiles[apart.tiles_of[name][0]].integration_time for name in ("shared", "shared_1")]
    assert min(times) / 1.5 <= both.tiles[shared].integration_time <= max(times) * 1.5


def test_a_mapped_graph_with_shared_tiles_is_saved_and_loaded(tmp_path):
    mapped = mapped_of()
    mapped.save(tmp_path / "mapped")
    assert MappedGraph.load(tmp_path / "mapped").tied == mapped.tied


def test_training_in_the_loop_asks_for_cells_of_their_own():
    chips = xl.program(compiled(), xl.SimulatedBackend(IDEAL))
    data = (TOKENS, torch.zeros(5, dtype=torch.long))
    with pytest.raises(xl.errors.ConfigError, match=r"shared and shared_1 share cells.*share_tied=False"):
        tune_in_the_loop(chips, data)
