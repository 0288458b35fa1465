"""Replicas share the vectors of every sample: dealt and gathered again, nothing is lost, doubled or moved."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from crossloom.hardware import Codes, DenseCodes, Draw, WindowedCodes
from crossloom.runtime.dealing import bounds, by_sample, deal_codes, gather, vectors_of
from crossloom.windows import Window


@st.composite
def windowed(draw) -> WindowedCodes:
    """Images of one, two or three axes under any window that fits."""
    axes = draw(st.integers(1, 3))
    each = [
        (draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.integers(0, 2)), draw(st.integers(1, 2)))
        for _ in range(axes)
    ]
    kernel, stride, padding, dilation = zip(*each, strict=True)
    sides = [draw(st.integers(d * (k - 1) + 1, 9)) for k, _, _, d in each]
    num_samples = draw(st.integers(1, 3))
    values = torch.randint(-7, 8, (num_samples, draw(st.integers(1, 2)), *sides)).float()
    return WindowedCodes(values, num_samples, Window(kernel, stride, padding, dilation))


@st.composite
def dense(draw) -> DenseCodes:
    """Vectors one after the other, or lying in positions."""
    num_samples, positions = draw(st.integers(1, 3)), draw(st.sampled_from([(), (5,), (3, 4)]))
    rows = num_samples if positions else num_samples * draw(st.integers(1, 9))
    return DenseCodes(torch.randint(-7, 8, (rows, 4, *positions)).float(), num_samples)


def multiply(codes: Codes, matrix: torch.Tensor) -> torch.Tensor:
    """What a chip gives: [vector, output, *positions]."""
    laid = codes.dense() if isinstance(codes, WindowedCodes) else codes
    return torch.einsum("vi...,io->vo...", laid.values, matrix)


@settings(max_examples=80, deadline=None)
@given(st.one_of(windowed(), dense()), st.integers(1, 7), st.integers(0, 5))
def test_shares_are_the_whole(codes, num_replicas, step):
    """The fast path is to multiply only one's share; the slow one is that every replica multiplies all."""
    matrices = [torch.randint(-3, 4, (codes.num_inputs, 2)).float() for _ in range(num_replicas)]
    shares = deal_codes(codes, num_replicas, Draw(0, step=step))
    dealt = gather([share.own(multiply(share.codes, matrices[share.replica])) for share in shares], codes)

    whole = [by_sample(multiply(codes, matrix), codes.num_samples) for matrix in matrices]
    wanted = torch.empty_like(whole[0])
    for place, (start, stop) in enumerate(bounds(vectors_of(codes), num_replicas)):
        wanted[..., start:stop] = whole[(place + step) % num_replicas][..., start:stop]
    assert torch.equal(by_sample(dealt, codes.num_samples), wanted)
    assert dealt.shape == multiply(codes, matrices[0]).shape


@given(st.integers(0, 100), st.integers(1, 20))
def test_shares_are_even(number, num_replicas):
    sizes = [stop - start for start, stop in bounds(number, num_replicas)]
    assert sum(sizes) == number
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("num_replicas", [2, 3])
def test_replicas_take_turns_where_a_step_has_one_vector(num_replicas):
    codes = DenseCodes(torch.ones(4, 3), 4)
    turns = [deal_codes(codes, num_replicas, Draw(0, step=step)) for step in range(2 * num_replicas)]
    assert all(len(shares) == 1 for shares in turns)
    used = [shares[0].replica for shares in turns]
    assert sorted(used) == sorted(2 * list(range(num_replicas)))
