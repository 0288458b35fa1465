"""What torch wraps around a model: its compiler, and several processes that train together."""

import os
import socket
from pathlib import Path

import pytest
import torch
from torch import distributed, multiprocessing, nn
from torch.nn.parallel import DistributedDataParallel

from crossloom.errors import ConfigError
from crossloom.spec import load_system
from crossloom.training import AnalogConfig, WeightNoise, analog_matrices, begin, convert_to_analog
from flows import normal

CHIP = load_system("tsinghua_c200")


def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 16, 5))


def images(num_samples: int = 8) -> torch.Tensor:
    return normal(num_samples, 3, 4, 4)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
@pytest.mark.parametrize("effects", [(), (WeightNoise(sigma=0.05),)], ids=["exact", "noisy"])
@pytest.mark.parametrize("kind", ["convolutions", "lstm", "transformer"])
def test_a_compiled_model_has_the_same_outputs_and_gradients(kind, backend, effects):
    torch.manual_seed(0)
    plain, values = {
        "convolutions": (model(), images()),
        "lstm": (nn.LSTM(4, 5), normal(3, 2, 4)),
        "transformer": (nn.TransformerEncoderLayer(8, 2, 16, 0.0, batch_first=True), normal(2, 3, 8)),
    }[kind]
    analog, answers = convert_to_analog(plain, CHIP, AnalogConfig(effects=effects), values).train(), []
    torch.compiler.reset()
    for run in (analog, torch.compile(analog, backend=backend)):
        torch.manual_seed(1)
        analog.zero_grad()
        answer = run(values)
        answer = answer[0] if isinstance(answer, tuple) else answer
        answer.square().sum().backward()
        answers.append([answer.detach(), *(parameter.grad.clone() for parameter in analog.parameters())])
    for one, other in zip(*answers, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_two_processes_have_the_gradients_of_the_whole_batch(tmp_path):
    """Batch norms aside, a mean of means is the mean; converters' steps count samples alike."""
    analog = convert_to_analog(model(), CHIP, data=images()).train()
    analog(images()).square().mean().backward()
    multiprocessing.spawn(train_in_one_of_two, (free_port(), tmp_path), nprocs=2)
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1))
    assert len(first) == 10
    for name, parameter in analog.named_parameters():
        assert torch.equal(first[name], second[name])
        torch.testing.assert_close(first[name], parameter.grad, rtol=1e-4, atol=1e-6)
    signs = [torch.load(tmp_path / f"signs{rank}.pt", weights_only=True) for rank in (0, 1)]
    assert signs == [[True, False], [True, False]]


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("localhost", 0))
        return found.getsockname()[1]


def train_in_one_of_two(rank: int, port: int, folder: Path) -> None:
    """One step on half of the batch; before that, what must be refused, and signs that come from the first process."""
    torch.set_num_threads(1)
    os.environ |= {"MASTER_ADDR": "localhost", "MASTER_PORT": str(port)}
    distributed.init_process_group("gloo", rank=rank, world_size=2)
    with pytest.raises(
        ConfigError, match=r"0: several copies train, and no batch has set its steps; call begin"
    ):
        DistributedDataParallel(convert_to_analog(model(), CHIP))(images())
    analog = convert_to_analog(model(), CHIP, data=images())
    together = DistributedDataParallel(analog)
    together(images().chunk(2)[rank]).square().mean().backward()
    torch.save({name: parameter.grad for name, parameter in analog.named_parameters()}, folder / f"{rank}.pt")
    torch.save(signs_after_wrapping(rank), folder / f"signs{rank}.pt")
    distributed.destroy_process_group()


def signs_after_wrapping(rank: int) -> list[bool]:
    """Whether inputs are signed, where the first process met signed ones and the second did not."""
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 4))
    analog = convert_to_analog(plain, load_system("ideal"))
    values = normal(5, 6)
    begin(analog, values.abs() if rank else values)
    together = DistributedDataParallel(analog)
    together(values)
    return [matrix.plan.activations_are_signed for matrix in analog_matrices(analog).values()]
