"""Layouts of codes: windows and dense vectors are the same numbers."""

import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch.nn import functional

from crossloom.circuits import product
from crossloom.hardware import DenseCodes, WindowedCodes
from crossloom.windows import Window


@st.composite
def windows(draw: st.DrawFn) -> tuple[Window, tuple[int, ...]]:
    axes = draw(st.integers(1, 3))
    sizes = st.integers(1, 3)
    window = Window(
        tuple(draw(sizes) for _ in range(axes)),
        tuple(draw(sizes) for _ in range(axes)),
        tuple(draw(st.integers(0, 2)) for _ in range(axes)),
        tuple(draw(st.integers(1, 2)) for _ in range(axes)),
    )
    image = tuple(draw(st.integers(1, 6)) for _ in range(axes))
    assume(min(window.output_shape(image)) >= 1)
    return window, image


def codes_of(window: Window, image: tuple[int, ...], channels: int) -> WindowedCodes:
    generator = torch.Generator().manual_seed(0)
    return WindowedCodes(torch.randint(-7, 8, (2, channels, *image), generator=generator).float(), 2, window)


@settings(max_examples=60, deadline=None)
@given(windows(), st.integers(1, 3), st.integers(1, 4))
def test_a_window_that_slides_gives_what_its_vectors_laid_out_do(case, channels, num_outputs):
    codes = codes_of(*case, channels)
    weights = torch.randint(-9, 10, (num_outputs, codes.num_inputs)).float()
    assert torch.equal(product(codes, weights), product(codes.dense(), weights))
    assert codes.num_inputs == codes.dense().num_inputs
    assert codes.num_vectors == codes.dense().num_vectors


@settings(max_examples=60, deadline=None)
@given(windows(), st.integers(1, 3), st.data())
def test_a_part_of_windowed_codes_is_that_part_of_every_vector(case, channels, data):
    codes = codes_of(*case, channels)
    start = data.draw(st.integers(0, codes.num_inputs - 1))
    stop = data.draw(st.integers(start + 1, codes.num_inputs))
    part = codes.part(start, stop)
    laid_out = part.dense() if isinstance(part, WindowedCodes) else part
    assert torch.equal(laid_out.values, codes.dense().values[:, start:stop])
    assert part.num_inputs == stop - start


def test_two_axes_are_laid_out_as_torch_unfolds_them():
    window = Window((2, 3), (2, 1), (1, 0), (1, 2))
    codes = codes_of(window, (5, 7), 3)
    unfolded = functional.unfold(codes.values, (2, 3), (1, 2), (1, 0), (2, 1))
    assert torch.equal(codes.dense().values.flatten(2), unfolded)


def test_a_product_adds_its_bias_to_every_output():
    bias, weights = torch.tensor([1.0, -2.0]), torch.ones(2, 3)
    for values in (torch.zeros(4, 3), torch.zeros(4, 3, 5)):
        sums = product(DenseCodes(values, 4), weights, bias)
        assert torch.equal(sums.amin(0).flatten(1).amin(1) if sums.dim() > 2 else sums.amin(0), bias)
