"""Networks that nobody made for these chips compile, run, and are exact on ideal ones."""

import pytest
import torch
from catalogue import ALL, compiled
from operations_page import PAGE, operation_rows, page, stated_row
from torch.utils._pytree import tree_leaves

import crossloom as xl
from crossloom.graph import interpret


def _as_tuple(outputs: object) -> tuple[torch.Tensor, ...]:
    return outputs if isinstance(outputs, tuple) else (outputs,)


QUICK = ("ResNet, bottleneck", "GPT-2, tied head", "U-Net", "GCN, constant adjacency", "Mixture of experts")
NAMES = [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in ALL]


@pytest.mark.parametrize("name", NAMES)
def test_an_architecture_runs_and_is_exact_on_ideal_chips(name: str) -> None:
    found = compiled(name)
    batch = found.architecture.batch(3, seed=1)
    wanted = tree_leaves(found.model(*batch))
    torch.testing.assert_close(
        list(interpret(found.placement.mapped.quantized.graph, batch)), wanted, rtol=1e-3, atol=1e-4
    )
    chips = xl.program(found.placement, xl.SimulatedBackend(found.placement.system))
    on_chip = _as_tuple(xl.run(chips, batch, probe_samples=0, count_activity=False).outputs)
    digital = _as_tuple(xl.run(chips, batch, mode="integer", probe_samples=0).outputs)
    assert all(torch.equal(one, other) for one, other in zip(on_chip, digital, strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_the_share_in_memory_is_what_is_said(name: str) -> None:
    assert compiled(name).share == pytest.approx(ALL[name].share, abs=5e-4)


def test_the_list_is_long_and_the_quick_part_is_of_it() -> None:
    assert len(ALL) >= 30
    assert set(QUICK) <= set(ALL)


def test_the_page_of_operations_has_what_the_code_and_the_list_say() -> None:
    text = PAGE.read_text("utf-8")
    assert operation_rows() in text
    for architecture in ALL.values():
        assert stated_row(architecture) in text


@pytest.mark.slow
def test_the_page_of_operations_is_up_to_date() -> None:
    """Otherwise: python tests/architectures/operations_page.py"""
    assert PAGE.read_text("utf-8") == page()
