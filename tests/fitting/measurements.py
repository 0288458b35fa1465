"""Measurements made of known devices, as CSV files."""

from pathlib import Path

import torch

uS = 1e-6


def uniform(generator, low, high, *shape):
    return torch.empty(*shape, dtype=torch.float64).uniform_(low, high, generator=generator)


def normal(generator, *shape):
    return torch.randn(*shape, dtype=torch.float64, generator=generator)


def write(path: Path, **columns) -> Path:
    """One column per name; numbers of any shape are laid out flat."""
    flat = [torch.as_tensor(column, dtype=torch.float64).reshape(-1).tolist() for column in columns.values()]
    rows = (",".join(f"{value:.10g}" for value in row) for row in zip(*flat, strict=True))
    path.write_text("\n".join([",".join(columns), *rows]) + "\n")
    return path


def write_reads(path, generator, num_cells, num_reads, noise, low=5.0, high=40.0):
    """`cell, read, conductance_uS` of cells between `low` and `high` uS; noise: uS of a conductance in uS."""
    conductance = uniform(generator, low, high, num_cells, 1)
    read = conductance + noise(conductance) * normal(generator, num_cells, num_reads)
    cell = torch.arange(num_cells)[:, None].expand_as(read)
    return write(path, cell=cell, read=torch.arange(num_reads).expand_as(read), conductance_uS=read)


def write_errors(path, generator, num_cells, error, shift=0.0, low=5.0, high=40.0):
    """`target_uS, conductance_uS`; error: uS of a target in uS."""
    target = uniform(generator, low, high, num_cells)
    found = target + shift + error(target) * normal(generator, num_cells)
    return write(path, target_uS=target, conductance_uS=found)


def write_pulses(path, generator, num_pulses, step=1.0, spread=0.3, scale=0.2, noise=0.0, soft=0.0):
    """Pulses of 50, 100 and 200 ns and 1.4 to 1.6 V, either sign; step in uS per 100 ns at 1.5 V.

    soft: share of its effect that a pulse loses per uS above 20.
    """
    before = uniform(generator, 15.0, 25.0, num_pulses)
    choice = torch.randint(0, 3, (2, num_pulses), generator=generator)
    sign = torch.randint(0, 2, (num_pulses,), generator=generator) * 2 - 1
    width = torch.tensor([50.0, 100.0, 200.0], dtype=torch.float64)[choice[0]] * sign
    voltage = torch.tensor([1.4, 1.5, 1.6], dtype=torch.float64)[choice[1]]
    growth = (voltage / scale).sinh() / torch.tensor(1.5 / scale).double().sinh()
    effect = step * width / 100 * growth * (1 - soft * (before - 20))
    after = before + effect * (1 + spread * normal(generator, num_pulses))
    return write(
        path,
        width_ns=width,
        voltage_V=voltage,
        conductance_before_uS=before + noise * normal(generator, num_pulses),
        conductance_after_uS=after + noise * normal(generator, num_pulses),
    )
