"""A small network ages on two kinds of cells, and three remedies are compared.

    python examples/aging.py [--chips N] [--output FILE.html]

A classifier of handwritten digits is programmed into chips of phase-change cells (drift) and of RRAM cells
(relaxation), and asked again 1 s, 1 h, 1 day and 1 month later: left alone; with one digital scale per layer, measured
anew each time (drift compensation); with digital gain and offset of every column, measured anew each time; and with
all cells written again every week. Prints a table, and draws it into one HTML file that needs no network.
"""

import argparse
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import fmean, stdev

import torch
from torch import nn

import crossloom as xl
from crossloom.cli.demo import load_digits
from crossloom.datasets import Dataset

HOUR, DAY = 3600.0, 86400.0
MOMENTS = {"1 s": 1.0, "1 h": HOUR, "1 day": DAY, "1 month": 30 * DAY}
CELLS = {"Phase-change memory": "pcm_nandakumar", "RRAM (NeuRRAM)": "neurram_wan"}
HARDWARE = {
    "chip.core.macro.readout": {"bits": 8},
    "chip.core.macro.crossbar.num_rows": 128,
    "chip.core.macro.crossbar.num_columns": 128,
}
SETTLE = 1.0  # seconds between writing and the first look
SCALE = xl.CalibrationConfig(drift="layer", columns=False)
COLUMNS = xl.CalibrationConfig()
WEEKLY = xl.RefreshConfig(check_interval=7 * DAY, interval=7 * DAY)
REMEDIES = {
    "left alone": "#5d6f86",
    "one scale per layer": "#e0862f",
    "gain and offset per column": "#3a9d5d",
    "written again every week": "#3b6fd4",
}


@dataclass(frozen=True)
class Study:
    """accuracies: by cell, remedy and moment, one number per set of chips.  upkeep: what a month of weekly writing
    took, by cell, on the first set.  exact: the accuracy of the float network."""

    accuracies: dict[str, dict[str, dict[str, list[float]]]]
    upkeep: dict[str, str]
    exact: float


def train(data: Dataset, num_epochs: int = 15) -> nn.Module:
    """A perceptron of five layers: deep enough that errors of its layers add up."""
    sizes = (64, 32, 32, 32, 32, 10)
    assert data.labels is not None
    torch.manual_seed(0)
    torch.set_num_threads(1)  # layers this small gain nothing from more
    layers: list[nn.Module] = [nn.Flatten()]
    for num_inputs, num_outputs in pairwise(sizes):
        layers += [nn.Linear(num_inputs, num_outputs), nn.ReLU()]
    model = nn.Sequential(*layers[:-1])
    optimizer = torch.optim.Adam(model.parameters(), 5e-3)
    steps = num_epochs * -(-len(data) // 64)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 8e-3, total_steps=steps)
    for _ in range(num_epochs):
        for batch in torch.randperm(len(data)).split(64):
            loss = nn.functional.cross_entropy(model(data.inputs[batch]), data.labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return model.eval()


def accuracy(chips: xl.ProgrammedChips, test: Dataset) -> float:
    outputs = xl.run(chips, test.inputs, batch_size=len(test), probe_samples=0).outputs
    return (outputs.argmax(1) == test.labels).double().mean().item()


def study(num_chips: int) -> Study:
    """Program, age, calibrate, refresh, and ask again."""
    data, test = load_digits()
    model, samples = train(data), data.inputs[:64]
    graph = xl.trace(model, data.inputs[:1])
    exact = (model(test.inputs).argmax(1) == test.labels).double().mean().item()
    accuracies, upkeep = {}, {}
    for cell, device in CELLS.items():
        system = xl.load_system("ideal", HARDWARE).with_cell(xl.load_device(device).cell)
        placement = xl.compile(graph, system, data.inputs[:128])
        accuracies[cell] = {remedy: {moment: [] for moment in MOMENTS} for remedy in REMEDIES}
        for seed in range(num_chips):
            chips = xl.program(placement, xl.simulate(system, seed), xl.DirectSet(), settle=SETTLE)
            for moment, time in MOMENTS.items():
                aged = xl.advance(chips, time - SETTLE)
                scaled = aged.with_calibration(xl.calibrate(aged, samples, SCALE))
                fitted = aged.with_calibration(xl.calibrate(aged, samples, COLUMNS))
                kept = aged
                if time > WEEKLY.check_interval:
                    kept, report = xl.maintain(chips, time - SETTLE, samples, WEEKLY, xl.DirectSet())
                    upkeep.setdefault(cell, report.summary())
                for remedy, looked_after in zip(REMEDIES, (aged, scaled, fitted, kept), strict=True):
                    accuracies[cell][remedy][moment].append(accuracy(looked_after, test))
    return Study(accuracies, upkeep, exact)


def show(found: Study) -> str:
    """The table: mean and deviation over sets of chips, in percent."""
    lines = [f"float network: {found.exact:.1%} of 450 digits"]
    for cell, remedies in found.accuracies.items():
        lines += ["", f"{cell:<28}" + "".join(f"{moment:>14}" for moment in MOMENTS)]
        for remedy, moments in remedies.items():
            cells = "".join(f"{_percent(values):>14}" for values in moments.values())
            lines.append(f"  {remedy:<26}{cells}")
        lines.append(f"  {found.upkeep[cell]}")
    return "\n".join(lines)


def _percent(values: list[float]) -> str:
    spread = f" ± {100 * stdev(values):.1f}" if len(values) > 1 else ""
    return f"{100 * fmean(values):.1f}{spread}"


def draw(found: Study, path: Path) -> None:
    """One panel for each kind of cell, accuracy over time, a line for each remedy."""
    from plotly.graph_objects import Figure, Scatter
    from plotly.subplots import make_subplots

    titles = [f"<b>{cell}</b>" for cell in found.accuracies]
    figure: Figure = make_subplots(
        1, len(titles), shared_yaxes=True, subplot_titles=titles, horizontal_spacing=0.04
    )
    for column, remedies in enumerate(found.accuracies.values(), 1):
        for (remedy, moments), shift in zip(remedies.items(), (0.72, 0.9, 1.12, 1.4), strict=True):
            values = list(moments.values())
            line = Scatter(
                x=[time * shift for time in MOMENTS.values()],
                y=[100 * fmean(one) for one in values],
                error_y={"array": [100 * stdev(one) if len(one) > 1 else 0 for one in values], "width": 3},
                name=remedy,
                legendgroup=remedy,
                showlegend=column == 1,
                mode="lines+markers",
                line={"color": REMEDIES[remedy], "width": 2},
                hovertemplate=f"{remedy}: %{{y:.1f}} %<extra></extra>",
            )
            figure.add_trace(line, 1, column)
        figure.add_hline(100 * found.exact, line={"color": "#999", "dash": "dot"}, row=1, col=column)  # type: ignore[arg-type]
    figure.add_annotation(
        text="float network", x=1.7, y=100 * found.exact, yshift=10, showarrow=False, font={"color": "#777"}
    )
    figure.update_xaxes(
        type="log",
        tickvals=list(MOMENTS.values()),
        ticktext=list(MOMENTS),
        title="time since programming",
        range=[-0.5, 6.9],
    )
    figure.update_yaxes(title="accuracy on digits (%)", col=1)
    figure.update_layout(
        template="plotly_white",
        height=460,
        width=960,
        font={"family": "system-ui, sans-serif", "size": 13},
        legend={"orientation": "h", "x": 0.5, "xanchor": "center", "y": -0.2, "yanchor": "top"},
        margin={"l": 70, "r": 20, "t": 50, "b": 100},
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.write_html(path, include_plotlyjs=True, config={"displaylogo": False})


def main(arguments: list[str] | None = None) -> Study:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--chips", type=int, default=3, help="sets of chips to program")
    parser.add_argument("--output", type=Path, default=Path("out/aging.html"))
    options = parser.parse_args(arguments)
    found = study(options.chips)
    draw(found, options.output)
    print(f"{show(found)}\n\npicture: {options.output}")
    return found


if __name__ == "__main__":
    main()
