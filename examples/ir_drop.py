"""What the resistance of wires does to crossbars of several sizes, and to a small network on them.

    python examples/ir_drop.py [--sides N ...] [--output FILE.html]

For square crossbars of random cells (1 to 40 uS): by how much outputs are off, exactly and by the estimate, as the
resistance of a segment of wire grows. Then the map of what is left of every cell, and the accuracy of a classifier of
handwritten digits on such crossbars. Prints two tables, and draws pictures into one HTML file that needs no network.
"""

import argparse
from itertools import cycle
from pathlib import Path

import torch
from aging import accuracy, train

import crossloom as xl
from crossloom.cli.demo import load_digits

SIDES = (32, 64, 128, 256)
OHMS = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
LAYER_OHMS = (0.0, 1.0, 3.0, 10.0, 30.0, 100.0)
MAPPED = (128, 1.0)  # side, and ohm of a segment
COLORS = ("#5d6f86", "#e0862f", "#3a9d5d", "#3b6fd4")
CROSSBAR = "chip.core.macro.crossbar"


def cells(side: int) -> torch.Tensor:
    """S, [row, column]."""
    return 1e-6 + 39e-6 * torch.rand(
        side, side, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )


def error(conductance: torch.Tensor, wired: torch.Tensor) -> float:
    """How far outputs for 64 vectors of voltages are off, rms, relative to those without wires."""
    voltages = torch.rand(
        64, len(conductance), generator=torch.Generator().manual_seed(1), dtype=torch.float64
    )
    ideal = voltages @ conductance
    return ((voltages @ wired - ideal).norm() / ideal.norm()).item()


def sweep(sides: list[int]) -> dict[int, list[tuple[float, float]]]:
    """By side: the error at every resistance, exactly and as estimated."""
    found = {}
    for side in sides:
        conductance = cells(side)
        found[side] = [
            tuple(
                error(conductance, solve(conductance, xl.Wires(ohm, ohm)))
                for solve in (xl.effective_conductance, xl.approximate_conductance)
            )
            for ohm in OHMS
        ]
    return found


def accuracies() -> tuple[float, dict[float, float]]:
    """Of the float network, and on chips by the resistance of a segment."""
    data, test = load_digits()
    model = train(data)
    graph = xl.trace(model, data.inputs[:1])
    exact = (model(test.inputs).argmax(1) == test.labels).double().mean().item()
    found = {}
    for ohm in LAYER_OHMS:
        wires = {"word_line": ohm, "bit_line": ohm}
        sizes = {f"{CROSSBAR}.num_rows": 128, f"{CROSSBAR}.num_columns": 128}
        system = xl.load_system("ideal", {**sizes, f"{CROSSBAR}.wires": wires})
        placement = xl.compile(graph, system, data.inputs[:128])
        found[ohm] = accuracy(xl.program(placement, xl.simulate(system)), test)
    return exact, found


def show(errors: dict[int, list[tuple[float, float]]], exact: float, found: dict[float, float]) -> str:
    """Both tables."""
    lines = ["Outputs off by (estimate in brackets), against ohm per segment", ""]
    lines.append(f"{'cells':<10}" + "".join(f"{ohm:>18g}" for ohm in OHMS))
    for side, row in errors.items():
        shown = "".join(f"{f'{true:.2%} ({estimate:.2%})':>18}" for true, estimate in row)
        lines.append(f"{f'{side} x {side}':<10}" + shown)
    lines += ["", f"Digits on 128 x 128 cells: float network {exact:.1%}"]
    lines += [f"  {ohm:>5g} ohm per segment: {share:.1%}" for ohm, share in found.items()]
    return "\n".join(lines)


def draw(errors: dict[int, list[tuple[float, float]]], path: Path) -> None:
    """Errors on the left, the map on the right."""
    from plotly.graph_objects import Figure, Heatmap, Scatter
    from plotly.subplots import make_subplots

    side, ohm = MAPPED
    titles = (
        "<b>Error of outputs</b>",
        f"<b>What is left of each cell</b> ({side} × {side}, {ohm:g} Ω per segment)",
    )
    figure: Figure = make_subplots(1, 2, subplot_titles=titles, horizontal_spacing=0.12)
    for color, (size, row) in zip(cycle(COLORS), errors.items(), strict=False):
        for kind, (name, dash) in enumerate((("exact", "solid"), ("estimate", "dot"))):
            line = Scatter(
                x=OHMS,
                y=[100 * point[kind] for point in row],
                name=f"{size} × {size}, {name}",
                mode="lines+markers" if kind == 0 else "lines",
                line={"color": color, "dash": dash, "width": 2},
                hovertemplate=f"{size} × {size}, {name}<br>%{{x}} Ω: %{{y:.2f}} %<extra></extra>",
            )
            figure.add_trace(line, 1, 1)
    conductance = cells(side)
    left = xl.effective_conductance(conductance, xl.Wires(ohm, ohm)) / conductance
    scale = {"title": {"text": "%"}, "x": 1.01, "thickness": 14}
    heat = Heatmap(z=(100 * left).round(decimals=1).tolist(), colorscale="Viridis", colorbar=scale)
    figure.add_trace(heat, 1, 2)
    figure.update_xaxes(title="wire resistance of a segment (Ω)", type="log", row=1, col=1)
    figure.update_yaxes(title="rms error of outputs (%)", type="log", row=1, col=1)
    figure.update_xaxes(title="column (drivers at the left)", row=1, col=2)
    figure.update_yaxes(title="row (converters at the bottom)", autorange="reversed", row=1, col=2)
    figure.update_layout(
        template="plotly_white",
        width=1150,
        height=520,
        legend={"x": 0.435, "xanchor": "right", "y": 0.02, "yanchor": "bottom", "font": {"size": 11}},
        margin={"l": 70, "r": 30, "t": 50, "b": 60},
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.write_html(path, include_plotlyjs=True)


def main(
    arguments: list[str] | None = None,
) -> tuple[dict[int, list[tuple[float, float]]], dict[float, float]]:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sides", type=int, nargs="+", default=list(SIDES))
    parser.add_argument("--output", type=Path, default=Path("out/ir_drop.html"))
    options = parser.parse_args(arguments)
    errors, (exact, found) = sweep(options.sides), accuracies()
    print(show(errors, exact, found))
    draw(errors, options.output)
    print(f"\npicture: {options.output}")
    return errors, found


if __name__ == "__main__":
    main()
