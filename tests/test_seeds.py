"""Draws depend on what is drawn, and on nothing else."""

import torch

from crossloom.seeds import derive_generator, derive_seed


def test_seeds_are_told_apart_by_every_name_and_by_its_kind():
    seeds = [
        derive_seed(*names)
        for names in ((0,), (1,), (0, 1), (0, "1"), (0, 1, 2), (0, 2, 1), (0, 12), (0, "a", "b"), (0, "ab"))
    ]
    assert len(set(seeds)) == len(seeds)


def test_seeds_fit_a_signed_64_bit_number():
    assert all(0 <= derive_seed(seed, "x") < 2**63 for seed in range(1000))


def test_the_same_names_give_the_same_numbers_in_every_session():
    """Golden: made by derive_seed itself, to notice when chips that were saved would be drawn anew."""
    assert derive_seed(0, "chip", 1) == 426919707386480663
    draws = [torch.randn(3, generator=derive_generator(7, 1, "cells")) for _ in range(2)]
    assert torch.equal(*draws)


def test_generators_of_neighbours_are_independent():
    draws = torch.stack([torch.randn(2000, generator=derive_generator(0, number)) for number in range(8)])
    correlations = torch.corrcoef(draws) - torch.eye(8)
    assert correlations.abs().max() < 5 / 2000**0.5
