"""Recurrent layers on chips: noise of every step, counts, hooks, quality, calibration, tuning and training."""

import pytest
import torch
from torch import nn

from crossloom.backends import SimulatedBackend
from crossloom.calibration import CalibrationConfig, calibrate, observe
from crossloom.cost import account, estimate
from crossloom.datasets import Dataset
from crossloom.errors import DataError
from crossloom.graph import Recurrence
from crossloom.hardware import DenseCodes, Draw
from crossloom.mapping import coverage, share_in_memory, vectors_per_sample
from crossloom.pipeline import compile
from crossloom.placement import Placement, matrix_dependencies
from crossloom.programming import ProgrammedChips, program
from crossloom.quant import QuantConfig, interpret_integers
from crossloom.runtime import LayerOnChips, run
from crossloom.training import InTheLoopConfig, tune_in_the_loop
from flows import noisy_system, normal, place_graph, program_graph
from recurrent_graphs import Case, make_case, with_first_output

NOISY = noisy_system(read_noise=3e-6, programming_error=1e-6)
STATE = "hh_l0"


def lstm(**options) -> Case:
    """An LSTM on a few sequences."""
    return make_case("lstm", (6, 8), num_samples=37, num_steps=5, seed=3, **options)


def chips_of(case: Case, **options) -> ProgrammedChips:
    """The outputs of a layer's steps, on noisy chips."""
    return program_graph(with_first_output(case.graph()), case.inputs, NOISY, **options)


@pytest.mark.parametrize(
    "options", [{}, {"batch_first": True}, {"has_lengths": True}, {"bidirectional": True}]
)
def test_noisy_answers_do_not_depend_on_the_batch_size(options):
    case = lstm(**options)
    chips = chips_of(case)
    whole = run(chips, case.inputs, batch_size=37, probe_samples=0)
    parts = run(chips, case.inputs, batch_size=5, probe_samples=0)
    assert torch.equal(whole.outputs, parts.outputs)
    assert whole.counts == parts.counts
    assert not torch.equal(whole.outputs, run(chips, case.inputs, seed=1, probe_samples=0).outputs)


def test_every_step_meets_noise_of_its_own():
    # A bias that saturates the state makes every step but the first meet the same codes.
    case = make_case("rnn_tanh", (2, 8), num_samples=40, num_steps=6, seed=1)
    with torch.no_grad():
        case.module.bias_ih_l0.fill_(50.0)
    seen = []
    run(chips_of(case), case.inputs, hooks={STATE: seen.append}, batch_size=40, probe_samples=0)
    assert len(seen) == 6
    assert all(torch.equal(probe.inputs, torch.ones(40, 8)) for probe in seen[1:])
    assert all(torch.equal(probe.ideal, seen[1].ideal) for probe in seen[1:])
    for number, probe in enumerate(seen[1:], 1):
        assert all(not torch.equal(probe.chip, other.chip) for other in seen[1:number])


def test_the_noise_of_two_steps_is_independent():
    """300 samples of 32 outputs, 3 steps of the same codes, seed 0: correlation within 5 / sqrt(9600)."""
    chips = chips_of(lstm())
    placement = chips.placement
    node = next(node for node in placement.mapped.quantized.graph.matrices if node.name == STATE)
    layer = LayerOnChips(placement, node, chips.backend)
    codes = DenseCodes(torch.full((300, 8), 3.0), 300)
    first, second, again = (layer.sums(codes, Draw(0, step=step))[0].double() for step in (0, 1, 1))
    assert torch.equal(second, again)
    noise = [sums - sums.mean(0) for sums in (first, second)]
    assert all(part.std() > 0 for part in noise)
    correlation = (noise[0] * noise[1]).mean() / (noise[0].std() * noise[1].std())
    assert abs(correlation) < 5 / 9600**0.5
    assert torch.equal(
        layer.sums(codes, Draw(0))[0].double(), first
    )  # the first step is what it was without steps


def test_all_steps_are_counted():
    case = lstm()
    chips = chips_of(case)
    result = run(chips, case.inputs, probe_samples=0)
    graph = chips.placement.mapped.quantized.graph
    assert dict(vectors_per_sample(graph)) == {"ih_l0": 5, STATE: 5}
    tiles = chips.placement.mapped.tiles_of
    for name in ("ih_l0", STATE):
        assert result.counts[name].num_mvms == 37 * 5 * len(tiles[name])
        steps = [step for step in chips.placement.schedule if step.layer == name]
        assert result.counts[name].bytes_in == 37 * sum(step.bytes_in for step in steps)
    assert {step.num_vectors for step in chips.placement.schedule} == {5}


def test_hooks_and_quality_see_every_step():
    case, seen = lstm(), []
    chips = chips_of(case)
    result = run(chips, case.inputs, hooks={STATE: seen.append}, batch_size=37)
    assert [probe.inputs.shape for probe in seen] == [(37, 8)] * 5
    quality = {found.layer: found for found in result.quality}
    assert quality[STATE].snr_db is not None
    # Quality is measured on 16 samples: a conversion for each output, sample, step and input cycle.
    conversions = result.counts[STATE].num_conversions * 16 // 37
    assert quality[STATE].code_counts.sum() == conversions


def test_the_recurrence_waits_for_its_input_and_what_follows_waits_for_it():
    graph = make_case("lstm", num_layers=2, bidirectional=True, proj_size=2).graph()
    needs = matrix_dependencies(graph)
    assert needs["ih_l0"] == ()
    assert needs["hh_l0"] == ("ih_l0",)
    assert needs["hr_l0"] == ("hh_l0",)
    assert set(needs["ih_l1"]) == {"hr_l0", "hr_l0_reverse"}


def test_all_products_of_recurrent_layers_are_in_memory():
    case = make_case("gru", (6, 8), num_layers=2, bidirectional=True)
    placement = place_graph(with_first_output(case.graph()), case.inputs, noisy_system())
    rows = coverage(placement.mapped)
    assert share_in_memory(rows) == 1.0
    states = [row for row in rows if row.operation == "gru"]
    assert len(states) == 4
    assert all(row.where == "digital" and row.why == "gates and states" for row in states)
    held = {row.name: row.macs for row in rows if row.name.startswith("hh")}
    assert held["hh_l0"] == case.num_steps * 3 * 8 * 8


def test_longer_lengths_than_steps_are_refused():
    case = lstm(has_lengths=True)
    source, lengths = case.inputs
    with pytest.raises(DataError, match="l0: lengths must be from 0 to the 5 steps of its input, got 1 to 6"):
        run(chips_of(case), (source, torch.where(lengths == lengths.max(), 6, lengths)), probe_samples=0)


def test_the_state_is_quantised_at_every_step():
    """Twice the bits, less error against float: 37 sequences, seed 3."""
    case = lstm()
    wanted, errors = case.wanted()[0], []
    for bits in (3, 8):
        quant = QuantConfig(weight_bits=8, activation_bits=bits)
        mapped = place_graph(with_first_output(case.graph()), case.inputs, noisy_system(), None, quant).mapped
        layer = mapped.quantized.layers[STATE]
        assert layer.input_bits == bits
        assert layer.input_is_signed
        errors.append((interpret_integers(mapped.quantized, case.inputs)[0] - wanted).square().mean())
    assert errors[1] < errors[0] / 20


class Words(nn.Module):
    """Tokens to classes by the last state of an LSTM."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.lstm = nn.Embedding(20, 8), nn.LSTM(8, 12, batch_first=True)
        self.head = nn.Linear(12, 3)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.head(self.lstm(self.embedding(tokens))[1][0][-1])


@pytest.fixture(scope="module")
def words() -> tuple[ProgrammedChips, torch.Tensor, Placement]:
    """A small classifier on noisy chips, and tokens."""
    torch.manual_seed(5)
    tokens = torch.randint(0, 20, (64, 6), generator=torch.Generator().manual_seed(0))
    quant = QuantConfig(weight_bits=4, activation_bits=6)
    placement = compile(Words(), noisy_system(read_noise=1e-6, programming_error=3e-6), tokens, quant=quant)
    chips = program(placement, SimulatedBackend(placement.system, 1))
    return chips, tokens, placement


def test_calibration_meets_the_states_of_all_steps(words):
    chips, tokens, placement = words
    assert [node.name for node in placement.mapped.quantized.graph.matrices][:2] == [
        "lstm.ih_l0",
        "lstm.hh_l0",
    ]
    seen = observe(placement.mapped, (tokens,), 10**6)
    assert seen["lstm.hh_l0"].num_vectors == 64 * 6
    zero = (seen["lstm.hh_l0"].values == 0).all(1).sum()
    assert 64 <= zero < 80  # the first step, and hardly any other
    found = calibrate(chips, tokens, CalibrationConfig(channels=True))
    assert found.errors_after["lstm.hh_l0"] < 0.8 * found.errors_before["lstm.hh_l0"]
    assert {fit.layer for fit in found.fits if fit.fit == "channels"} == {"lstm.ih_l0", "lstm.hh_l0", "head"}
    better = chips.with_calibration(found)
    exact = run(chips, tokens, mode="integer").outputs
    errors = [(run(each, tokens).outputs - exact).square().mean() for each in (chips, better)]
    assert errors[1] < errors[0]


def test_costs_count_every_step(words):
    chips, tokens, placement = words
    expected, counted = estimate(placement), account(chips, run(chips, tokens))
    for report in (expected, counted):
        converted = {part.layer: part.count for part in report.parts if part.component == "adc"}
        assert converted["lstm.hh_l0"] == converted["lstm.ih_l0"] == 6 * 4 * 12  # steps, gates, hidden
    gates = {part.layer: part.count for part in counted.parts if part.component == "digital"}
    assert gates["lstm.hh_l0"] >= 3 * 6 * 4 * 12
    order = {span.layer: span for span in counted.spans if span.resource == "macro"}
    assert order["lstm.ih_l0"].stop <= order["lstm.hh_l0"].start <= order["head"].start


def test_recurrent_layers_train_in_the_loop(words):
    chips, tokens, _ = words
    labels = torch.randint(0, 3, (64,), generator=torch.Generator().manual_seed(1))
    result = tune_in_the_loop(
        chips, Dataset(tokens, labels, "words"), InTheLoopConfig(epochs=1, digital_epochs=1)
    )
    before, after = (
        nn.functional.cross_entropy(run(each, tokens).outputs, labels) for each in (chips, result.chips)
    )
    assert after < before


def test_a_recurrence_holds_its_matrices():
    graph = make_case("lstm", proj_size=3).graph()
    node = next(node for node in graph.nodes if isinstance(node, Recurrence))
    assert [matrix.name for matrix in node.products] == ["hh_l0", "hr_l0"]
    assert graph.matrices == (next(n for n in graph.nodes if n.name == "ih_l0"), *node.products)


def test_inputs_are_sequences_of_the_compiled_length():
    case = lstm(batch_first=True)
    with pytest.raises(
        DataError, match=r"input 'x' must be a float32 tensor \[batch, 5, 6\], got \[4, 7, 6\]"
    ):
        run(chips_of(case), normal(4, 7, 6))
