"""What a budget of memory means to the operating system, in a process of its own."""

import multiprocessing
import resource

import pytest
import torch

import crossloom as xl

MEBIBYTE, BUDGET = 2**20, 128


def grow(memory: str | None) -> float:
    """By how many MiB a process grows that programs and runs 8 million weights, beyond its greatest before."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    layers = [torch.nn.Linear(1024, 1024, bias=False) for _ in range(8)]
    inputs = torch.randn(32, 1024)
    system = xl.load_system("tsinghua_c200", {"num_chips": 1000})
    placement = xl.compile(torch.nn.Sequential(*layers).eval(), system, data=inputs[:2])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    chips = xl.program(placement, xl.simulate(system, seed=0), xl.DirectSet(), memory=memory)
    xl.run(chips, inputs, probe_samples=0)
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / MEBIBYTE


@pytest.mark.slow
def test_a_process_grows_by_about_its_budget_and_by_far_more_without_one():
    context = multiprocessing.get_context("spawn")
    with context.Pool(1, maxtasksperchild=1) as pool:
        bounded, kept = pool.map(grow, [f"{BUDGET} MiB", None], chunksize=1)
    assert bounded < 1.25 * BUDGET
    assert kept > 2 * BUDGET
