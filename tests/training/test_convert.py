"""What `convert_to_analog` promises of the copy and of the original, and what it refuses."""

import copy

import pytest
import torch
from effects_layer import SYSTEM
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn.utils import parametrizations, prune, weight_norm
from torch.utils.checkpoint import checkpoint

import crossloom as xl
from crossloom.errors import ConfigError
from crossloom.spec import load_system
from crossloom.training import (
    AnalogConfig,
    AnalogConv2d,
    AnalogLinear,
    DropConnect,
    ProgrammingErrors,
    ReadNoise,
    WeightNoise,
    analog_matrices,
    analog_summary,
    convert_to_analog,
    convert_to_digital,
    noisy,
)
from flows import normal

IDEAL, CHIP = load_system("ideal"), load_system("tsinghua_c200")


class Mixed(nn.Module):
    """Every kind of layer that is converted, and some that are not."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.lstm = nn.LSTM(8, 6, batch_first=True)
        self.cell = nn.GRUCell(6, 6)
        self.attention = nn.MultiheadAttention(6, 2, batch_first=True)
        self.last = nn.Linear(6, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.norm(self.conv(x))).mean(3).transpose(1, 2)
        x = self.lstm(x)[0]
        x = x + self.attention(x, x, x)[0]
        return self.last(self.cell(x.mean(1)))


def mixed() -> nn.Module:
    torch.manual_seed(0)
    return Mixed()


def inputs(num_samples: int = 4, seed: int = 0) -> torch.Tensor:
    return normal(num_samples, 3, 6, 6, seed=seed)


def small(num_outputs: int = 4) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, num_outputs))


def test_the_original_keeps_its_tensors_types_and_modes():
    model = mixed()
    model.norm.eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    facts = [(name, type(module), module.training) for name, module in model.named_modules()]
    pointers = [tensor.data_ptr() for tensor in model.state_dict().values()]
    analog = convert_to_analog(model, CHIP, AnalogConfig(effects=(WeightNoise(sigma=0.1),)), inputs())
    analog(inputs()).sum().backward()
    with torch.no_grad():
        for parameter in analog.parameters():
            parameter.add_(1.0)
    assert [(name, type(module), module.training) for name, module in model.named_modules()] == facts
    assert [tensor.data_ptr() for tensor in model.state_dict().values()] == pointers
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert [analog.get_submodule(name).training for name in ("conv", "norm", "last")] == [True, False, True]


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("given", ["signed", "unsigned"])
def test_the_state_of_plain_tensors_makes_a_fresh_conversion_the_same(tmp_path, per_channel, given):
    model, values = mixed(), inputs() if given == "signed" else inputs().abs()
    system, config = (
        load_system("ideal", {"chip.core.macro.readout.bits": 6}),
        AnalogConfig(per_channel=per_channel),
    )
    analog = convert_to_analog(model, system, config, values).eval()
    state = analog.state_dict()
    assert all(type(tensor) is torch.Tensor for tensor in state.values())
    save_file(state, tmp_path / "state.safetensors")
    torch.manual_seed(9)
    fresh = convert_to_analog(Mixed(), system, config)
    fresh.load_state_dict(load_file(tmp_path / "state.safetensors"))
    assert torch.equal(fresh.eval()(values), analog(values))
    signs = [matrix.plan.activations_are_signed for matrix in analog_matrices(fresh).values()]
    assert signs == [matrix.plan.activations_are_signed for matrix in analog_matrices(analog).values()]
    assert signs[0] is (given == "signed")
    assert all(matrix.is_ready for matrix in analog_matrices(fresh).values())


def test_a_deep_copy_is_independent():
    analog = convert_to_analog(mixed(), CHIP, data=inputs()).eval()
    twin, before = copy.deepcopy(analog), analog(inputs())
    assert torch.equal(twin(inputs()), before)
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.mul_(0.5)
    assert torch.equal(analog(inputs()), before)
    assert not torch.equal(twin(inputs()), before)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("system", [IDEAL, CHIP], ids=["ideal", "chip"])
def test_weights_of_another_type_leave_steps_and_conductances_as_they_are(dtype, system):
    config = AnalogConfig(per_channel=True, effects=(ProgrammingErrors(),) if system is CHIP else ())
    analog = convert_to_analog(small(), system, config, normal(5, 6)).to(dtype)
    values = normal(5, 6).to(dtype)
    seen = []
    for matrix in analog_matrices(analog).values():
        assert {tensor.dtype for tensor in matrix.parameters()} == {torch.float32}
        held = matrix.hold(analog[0].weight if matrix is analog[0].matrix else analog[2].weight)
        seen += [
            tile.conductance.dtype for tiles in held.copies for tile in tiles if tile.conductance is not None
        ]
        assert all(tile.matrix.dtype == torch.float32 for tiles in held.copies for tile in tiles)
    assert set(seen) <= {torch.float32, torch.float64}
    assert len(seen) == (2 if system is CHIP else 0)
    answer = analog(values)
    assert answer.dtype == dtype
    answer.float().square().sum().backward()
    assert analog[0].weight.grad.dtype == dtype
    assert all(parameter.grad.isfinite().all() for parameter in analog.parameters())


def test_a_model_in_double_precision_answers_as_before():
    analog = convert_to_analog(mixed(), CHIP, data=inputs()).eval()
    before = analog(inputs())
    torch.testing.assert_close(analog.double()(inputs().double()).float(), before, rtol=0.05, atol=0.05)


@pytest.mark.parametrize("system", [IDEAL, SYSTEM], ids=["ideal", "noisy"])
def test_autocast_trains_and_leaves_products_in_float32(system):
    """bfloat16 would be off by 1 in 256; products within 1e-6 of those without autocast, on the same inputs."""
    effects = () if system is IDEAL else (ProgrammingErrors(), ReadNoise())
    model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 4))
    config = AnalogConfig(effects=effects, digital=("2",))
    analog, values = convert_to_analog(model, system, config, normal(5, 6)), normal(5, 6)
    torch.manual_seed(1)
    wanted = analog[0](values)
    torch.manual_seed(1)
    with torch.autocast("cpu", torch.bfloat16):
        first = analog[0](values)
        answer = analog(values)
        loss = answer.float().square().sum()
    assert first.dtype == torch.float32
    assert answer.dtype == torch.bfloat16
    torch.testing.assert_close(first, wanted, rtol=0, atol=1e-6)
    loss.backward()
    assert {parameter.grad.dtype for parameter in analog.parameters()} == {torch.float32}
    assert all(parameter.grad.isfinite().all() for parameter in analog.parameters())


def test_autocast_trains_recurrent_layers_and_attention():
    analog = convert_to_analog(mixed(), CHIP, data=inputs())
    with torch.autocast("cpu", torch.bfloat16):
        loss = analog(inputs()).float().square().sum()
    loss.backward()
    assert all(
        parameter.grad is not None and parameter.grad.isfinite().all() for parameter in analog.parameters()
    )


def test_checkpointed_layers_have_the_same_gradients_with_noise():
    config = AnalogConfig(effects=(WeightNoise(sigma=0.1), DropConnect(probability=0.2)))
    analog, gradients = convert_to_analog(small(), CHIP, config, normal(5, 6)), []
    for is_checkpointed in (False, True):
        torch.manual_seed(3)
        analog.zero_grad()
        values = normal(5, 6).requires_grad_()
        answer = checkpoint(analog, values, use_reentrant=False) if is_checkpointed else analog(values)
        answer.square().sum().backward()
        gradients.append([parameter.grad.clone() for parameter in analog.parameters()] + [values.grad])
    for one, other in zip(*gradients, strict=True):
        assert torch.equal(one, other)


def test_data_parallel_on_one_device_is_the_model():
    analog = convert_to_analog(mixed(), CHIP, data=inputs()).eval()
    assert torch.equal(nn.DataParallel(analog)(inputs()), analog(inputs()))


def test_replicas_do_not_set_steps_that_would_be_lost():
    analog = convert_to_analog(nn.Linear(6, 4), CHIP)
    replica = analog.matrix._replicate_for_data_parallel()
    replica.is_ready, replica.weight_step = analog.matrix.is_ready, analog.matrix.weight_step
    with pytest.raises(ConfigError, match="several copies train, and no batch has set its steps"):
        replica(normal(5, 6), analog.weight)


@pytest.mark.parametrize(
    ("model", "config", "line"),
    [
        (
            nn.Sequential(nn.ReLU(), nn.BatchNorm1d(3)),
            {},
            "nothing to convert: need Linear, Conv1d.*got BatchNorm1d",
        ),
        (nn.Linear(3, 3), {"digital": ("",)}, "nothing to convert"),
        (nn.Sequential(nn.Linear(3, 3)), {"digital": ("1",)}, "no layer to convert is called '1'"),
        (
            nn.Sequential(parametrizations.weight_norm(nn.Linear(3, 3))),
            {},
            "0: its weights are computed by a param",
        ),
        (
            nn.Sequential(prune.identity(nn.Linear(3, 3), "weight")),
            {},
            "0: weight is computed before every pass",
        ),
        (nn.LSTM(3, 3, dtype=torch.complex64), {}, "need real weights"),
        (
            nn.Linear(3, 3, device="meta"),
            {},
            "need real weights that hold numbers, got weight on the meta device",
        ),
    ],
)
def test_what_cannot_be_converted_is_refused_in_one_line(model, config, line):
    with pytest.raises(ConfigError, match=line) as caught:
        convert_to_analog(model, IDEAL, AnalogConfig(**config))
    assert "\n" not in str(caught.value)


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_weights_that_are_computed_before_every_pass_are_refused_or_stay_digital():
    with pytest.raises(ConfigError, match=r"0: weight is computed before every pass"):
        convert_to_analog(nn.Sequential(weight_norm(nn.Linear(3, 3))), IDEAL)
    model = nn.Sequential(parametrizations.weight_norm(nn.Linear(3, 3)), nn.Linear(3, 3))
    analog = convert_to_analog(model, IDEAL, AnalogConfig(digital=("0",)), normal(5, 3))
    assert list(analog_matrices(analog)) == ["1.matrix"]


def test_a_layer_that_is_used_twice_stays_one_layer():
    layer, block = nn.Linear(4, 4), nn.Sequential(nn.Linear(4, 4), nn.LSTM(4, 4))
    model = nn.ModuleDict({"list": nn.ModuleList([layer, layer]), "one": block, "two": block})
    analog = convert_to_analog(model, IDEAL)
    assert isinstance(analog["list"][0], AnalogLinear)
    assert analog["list"][0] is analog["list"][1]
    assert analog["one"] is analog["two"]
    assert len(analog_matrices(analog)) == 4
    for matrix in analog_matrices(analog).values():
        matrix.is_ready.fill_(True)
    plain = convert_to_digital(analog)
    assert type(plain["list"][0]) is nn.Linear
    assert plain["list"][0] is plain["list"][1]
    assert type(plain["two"][1]) is nn.LSTM
    assert plain["one"] is plain["two"]


def test_weights_that_two_layers_share_train_as_one():
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4))
    model[2].weight = model[0].weight
    analog = convert_to_analog(model, IDEAL, data=normal(5, 4))
    assert analog[0].weight is analog[2].weight
    assert analog[0].weight is not model[0].weight


def test_hooks_modes_and_frozen_parameters_come_along_both_ways():
    model, met = small(), []
    model[0].register_forward_hook(lambda module, given, answer: met.append(type(module).__name__))
    model[2].weight.requires_grad_(False)
    model[2].eval()
    analog = convert_to_analog(model, IDEAL, data=normal(5, 6))
    back = convert_to_digital(analog)
    back(normal(5, 6))
    assert met == ["AnalogLinear", "Linear"]
    for converted in (analog, back):
        assert not converted[2].weight.requires_grad
        assert converted[0].weight.requires_grad
        assert (converted[0].training, converted[2].training) == (True, False)


def test_a_subclass_is_left_alone_and_the_summary_says_so():
    class Mine(nn.Linear):
        pass

    model = nn.Sequential(
        nn.Linear(4, 4), Mine(4, 4), nn.ConvTranspose1d(4, 4, 1), nn.Embedding(3, 2), nn.Linear(4, 2)
    )
    analog = convert_to_analog(model, IDEAL, AnalogConfig(digital=("4",)))
    assert type(analog[1]) is Mine
    lines = {line.split()[0]: line for line in analog_summary(analog).splitlines() if line}
    assert "a subclass of Linear" in lines["1"]
    assert "ConvTranspose1d" in lines["2"]
    assert "Embedding" in lines["3"]
    assert "left digital" in lines["4"]
    assert "16 of 76 parameters" in lines["analog:"]


def test_the_summary_shows_every_matrix_before_and_after_the_first_batch():
    model = nn.Sequential(nn.Conv2d(4, 8, 3, groups=2), nn.Flatten(), nn.Linear(1152, 300))
    analog = convert_to_analog(model, CHIP, AnalogConfig(effects=(WeightNoise(sigma=0.06),)))
    before = analog_summary(analog).splitlines()
    shown = [" ".join(line.split()) for line in before[1:3]]
    assert shown == [
        "0 AnalogConv2d 18 x 8 in 2 groups 1 x 1 4/4/4 bit_serial, 3 cycles - - - -",
        "2 AnalogLinear 1152 x 300 2 x 3 4/4/4 bit_serial, 3 cycles - - - -",
    ]
    assert "  weight_noise(sigma=0.06)" in before
    analog(normal(2, 4, 14, 14))
    matrix = analog[2].matrix
    fields = analog_summary(analog).splitlines()[2].split()[-4:]
    steps = [
        matrix.weight_step,
        matrix.input_step,
        matrix.output_step,
        matrix.plan.integration_time(*matrix.steps()),
    ]
    assert [float(field) for field in fields] == pytest.approx(
        [step.mean().item() for step in steps], rel=5e-3
    )


def test_a_summary_of_a_plain_model_is_refused():
    with pytest.raises(ConfigError, match="the model has no analog layers"):
        analog_summary(small())


def test_effects_can_be_switched_on_while_evaluating_and_go_off_again():
    analog = convert_to_analog(
        small(), CHIP, AnalogConfig(effects=(WeightNoise(sigma=0.1),)), normal(5, 6)
    ).eval()
    exact = analog(normal(5, 6))
    analog[2].matrix.set_noise_share(0.25)
    with noisy(analog, share=0.5):
        assert not torch.equal(analog(normal(5, 6)), exact)
        assert [matrix.noise_share for matrix in analog_matrices(analog).values()] == [0.5, 0.5]
    with pytest.raises(RuntimeError), noisy(analog):
        analog(normal(5, 7))
    assert torch.equal(analog(normal(5, 6)), exact)
    assert [matrix.noise_share for matrix in analog_matrices(analog).values()] == [1.0, 0.25]
    with noisy(analog.train(), share=0):
        assert torch.equal(analog(normal(5, 6)), exact)
    for share, model in ((1.5, analog), (1.0, small())):
        with pytest.raises(ConfigError, match=r"share <= 1|no analog layers"), noisy(model, share):
            pass


def test_what_comes_back_before_any_batch_is_refused():
    with pytest.raises(ConfigError, match="0: no batch has set its steps yet"):
        convert_to_digital(convert_to_analog(small(), IDEAL))
    with pytest.raises(ConfigError, match="no analog layers"):
        convert_to_digital(small())


@pytest.mark.slow
def test_a_network_with_every_kind_of_layer_compiles_after_training():
    analog = convert_to_analog(mixed(), CHIP, data=inputs(16))
    analog(inputs(16)).square().sum().backward()
    back = convert_to_digital(analog).eval()
    placement = xl.compile(back, CHIP.noiseless(), data=[inputs(16)])
    layers = placement.mapped.quantized.layers
    assert torch.equal(layers["last"].weight.float(), analog.last.matrix.integers(analog.last.weight))
    projection = analog.attention.out_proj
    assert torch.equal(
        layers["attention.out_proj"].weight.float(), projection.matrix.integers(projection.weight)
    )


def test_mappings_may_name_the_parts_of_a_layer():
    mapping = xl.MappingConfig(
        layers={
            "attention.out_proj": xl.LayerMappingConfig(row_copies=2),
            "lstm.weight_hh_l0": xl.LayerMappingConfig(input_mode="pulse"),
            "last": xl.LayerMappingConfig(input_mode="pulse"),
        }
    )
    analog = convert_to_analog(mixed(), CHIP, AnalogConfig(mapping=mapping))
    assert analog.attention.out_proj.matrix.plan.scheme.row_copies == 2
    assert analog.attention.matrix_q.plan.scheme.row_copies == 1
    modes = [
        part.plan.scheme.input_mode.kind for part in (analog.lstm.matrix_ih_l0, analog.lstm.matrix_hh_l0)
    ]
    assert modes == ["bit_serial", "pulse"]
    assert isinstance(analog.conv, AnalogConv2d)
