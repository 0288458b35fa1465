"""What each update rule makes of inputs and errors."""

import pytest
import torch
from on_chip_cases import CountingBackend, array_on, chips, ideal_array

from crossloom.backends import SimulatedBackend
from crossloom.errors import ProgramError
from crossloom.programming import DirectSet
from crossloom.training.on_chip import (
    InPlace,
    MixedPrecision,
    SignUpdate,
    TikiTaka,
    coincidences,
    outer_product,
)
from crossloom.training.on_chip.rules import symmetry_point
from flows import normal

STEP = 2e-3  # of a weight, by one pulse of 0.1 uS for each cell of a pair whose window of 100 uS is a weight of 1
SOFT = {"kind": "soft_bounds", "up": 4e-6, "down": 2e-6, "device_spread": 0.3}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_an_outer_product_of_a_batch_equals_the_sum_over_its_samples():
    inputs, errors = normal(37, 11), normal(37, 5, seed=1)
    slow = torch.zeros(5, 11)
    for vector in range(37):
        for output in range(5):
            for number in range(11):
                slow[output, number] += errors[vector, output] * inputs[vector, number]
    assert torch.allclose(outer_product(inputs, errors), slow, atol=1e-5)


def test_a_sign_update_pulses_just_where_a_hand_computed_gradient_passes_the_threshold():
    array = ideal_array(2, 3)
    before = array.read()
    inputs = torch.tensor([[1.0, 0.0, 2.0], [0.0, 1.0, -1.0]])
    errors = torch.tensor([[0.5, -1.0], [0.2, 0.1]])
    # The gradient is [[0.5, 0.2, 0.8], [-1.0, 0.1, -2.1]].
    steps = SignUpdate(threshold=0.4).start([array], generator()).update(inputs, errors)
    by_hand = torch.tensor([[-1.0, 0.0, -1.0], [1.0, 0.0, 1.0]])
    assert torch.equal(steps, by_hand)
    assert torch.equal(array.pulses, by_hand.abs().int().expand(2, 2, 3))
    assert torch.allclose(array.read() - before, STEP * by_hand, atol=1e-6)


def test_longer_pulses_of_a_sign_update_move_weights_further():
    moved = []
    for width in (None, 3e-7):
        array = ideal_array(4, 4)
        before = array.read()
        SignUpdate(threshold=0, width=width).start([array], generator()).update(normal(3, 4), normal(3, 4))
        moved.append((array.read() - before).abs().mean().item())
    assert moved == pytest.approx([STEP, 3 * STEP], rel=1e-4)


def test_mixed_precision_loses_nothing_on_the_way_to_the_cells():
    array = ideal_array(6, 9)
    rule = MixedPrecision(learning_rate=0.05, granularity=STEP, max_pulses=3)
    learner = rule.start([array], generator())
    steps, owed, before = (
        torch.zeros(6, 9, dtype=torch.float64),
        torch.zeros(6, 9, dtype=torch.float64),
        array.read(),
    )
    for seed in range(20):
        inputs, errors = normal(8, 9, seed=seed), normal(8, 6, seed=100 + seed) / 8
        steps += learner.update(inputs, errors)
        owed -= 0.05 * (errors.T @ inputs).double()
    assert torch.allclose(steps * STEP + learner.chi, owed, atol=1e-12)
    assert (learner.chi.abs() > STEP).any()  # what three pulses an update could not pay is still owed
    assert torch.allclose(array.read() - before, (steps * STEP).float(), atol=1e-5)


def test_mixed_precision_measures_what_a_pulse_does_where_nobody_says():
    array = ideal_array(6, 9)
    assert MixedPrecision().start([array], generator()).granularity == pytest.approx(STEP, rel=1e-4)
    assert torch.equal(array.pulses, torch.full((2, 6, 9), 2, dtype=torch.int32))


def test_cells_that_do_not_move_are_found_out_when_their_granularity_is_measured():
    stuck = {"kind": "gaussian", "stuck_low": 1.0}
    array = array_on(SimulatedBackend(chips(stuck)), 3, 3)
    with pytest.raises(ProgramError, match="moves these weights by 0"):
        MixedPrecision().start([array], generator())


def test_in_place_updates_are_right_on_average():
    """Over 400 draws, seed 0: each mean within five standard errors of at most half a step."""
    inputs, errors = normal(8, 5), normal(8, 4, seed=1) / 100
    array, draw = ideal_array(4, 5), generator()
    learner = InPlace(learning_rate=0.1, granularity=STEP, max_pulses=100).start([array], draw)
    mean = torch.stack([learner.update(inputs, errors) for _ in range(400)]).mean(0)
    assert torch.allclose(mean, -0.1 / STEP * errors.T @ inputs, atol=5 * 0.5 / 400**0.5)


def test_coincidences_of_pulses_are_an_outer_product_on_average():
    """Over 300 draws of 10 slots, seed 0: each mean within six of its own standard errors; none of them is 0."""
    inputs, errors = normal(6, 5), normal(6, 4, seed=1)
    draw = generator()
    found = [coincidences(inputs, errors, 0.5, 10, draw) for _ in range(300)]
    up, down = (torch.stack(part) for part in zip(*found, strict=True))
    assert up.min() >= 0
    assert down.min() >= 0
    steps = up - down
    error = steps.mean(0) + 0.5 * errors.T @ inputs
    assert (error.abs() < 6 * steps.std(0) / 300**0.5).all()


def test_coincidences_equal_a_count_slot_by_slot():
    inputs, errors, slots = normal(3, 4), normal(3, 2, seed=1), 7
    up, down = coincidences(inputs, errors, 2.0, slots, generator())
    draw, balance = generator(), (errors.abs().max() / inputs.abs().max()).sqrt()
    amplitude = (2.0 / slots) ** 0.5
    rows, columns = torch.rand(slots, 3, 4, generator=draw), torch.rand(slots, 3, 2, generator=draw)
    slow = torch.zeros(2, 2, 4)
    for slot in range(slots):
        for vector in range(3):
            for output in range(2):
                for number in range(4):
                    x, d = inputs[vector, number], errors[vector, output]
                    meets = rows[slot, vector, number] < x.abs() * amplitude * balance
                    meets &= columns[slot, vector, output] < d.abs() * amplitude / balance
                    slow[int(x * d > 0), output, number] += meets
    assert torch.equal(torch.stack([up, down]), slow)


def test_a_transfer_of_tiki_taka_moves_just_the_lines_whose_turn_it_is():
    slow, fast = ideal_array(3, 5), ideal_array(3, 5)
    rule = TikiTaka(learning_rate=1.0, transfer_rate=1.0, num_lines=2, num_shifts=0, granularity=STEP)
    learner = rule.start([slow, fast], generator())
    inputs, errors = torch.ones(1, 5), torch.full((1, 3), -10 * STEP)
    turns = [learner.update(inputs, errors).abs().sum(0) > 0 for _ in range(3)]
    wanted = [
        [True, True, False, False, False],
        [False, False, True, True, False],
        [True, False, False, False, True],
    ]
    assert [turn.tolist() for turn in turns] == wanted


def test_the_hidden_matrix_of_tiki_taka_holds_what_was_read_less_what_was_pulsed():
    slow, fast = ideal_array(3, 4), ideal_array(3, 4)
    rule = TikiTaka(learning_rate=0.2, transfer_rate=0.3, num_shifts=0, granularity=STEP)
    learner = rule.start([slow, fast], generator())
    read, steps = torch.zeros(3, 4, dtype=torch.float64), torch.zeros(3, 4, dtype=torch.float64)
    for seed in range(15):
        steps += learner.update(normal(4, 4, seed=seed), normal(4, 3, seed=50 + seed) / 10)
        read += 0.3 * (fast.read() - learner.reference).double()
    assert steps.any()
    assert torch.allclose(learner.hidden + steps * STEP, read, atol=1e-9)
    assert torch.allclose(slow.read(), (steps * STEP).float(), atol=1e-5)


def test_at_the_symmetry_point_steps_up_and_down_do_as_much():
    """2,000 pairs of soft-bounds cells, seed 3, no spread from pulse to pulse: what a step up and one down leave
    behind is there below 3 % of what it is at a weight of 0.6."""
    array = array_on(SimulatedBackend(chips(SOFT, step=3e-6, num_chips=1), seed=3), 50, 40)
    ones = torch.ones(array.shape)

    def asymmetry() -> float:
        before = array.read()
        array.pulse(ones)
        above = array.read()
        array.pulse(-ones)
        return (array.read() - before).abs().mean().item() / (above - before).abs().mean().item()

    array.write(torch.full(array.shape, 0.6), DirectSet())
    begun = asymmetry()
    reference = symmetry_point(array, 80)
    assert asymmetry() < 0.03 * begun
    assert 0.01 < reference.std() < 0.3  # each pair has its own


def test_every_pulse_and_read_of_an_array_is_one_that_the_backend_saw():
    backend = CountingBackend(SimulatedBackend(chips()))
    array = array_on(backend, 70, 130)  # cut along both axes
    assert len(array.tiles) == 4
    learner = TikiTaka(num_shifts=1, num_lines=7).start([array, array_on(backend, 70, 130)], generator())
    learner.update(normal(4, 130), normal(4, 70, seed=1))
    fast = learner._fast
    assert int(array.pulses.sum()) + int(fast.pulses.sum()) == backend.num_pulses > 0
    assert array.num_reads + fast.num_reads == backend.num_reads > 0
