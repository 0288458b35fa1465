"""A device model from measurements, with intervals and a picture.

    python examples/fit_my_device.py [--csv FILE ...] [--degree N] [--over-time tabulated|logarithmic|drift]
        [--with-outliers] [--output DIR]

Without --csv it first makes measurements of a device that it knows: 2,000 cells written to targets, read three times
each at 0 s, 1 s and 100 s (cells.csv), and 300 cells under 8 pulses each (pulses.csv). Then it fits them, prints the
summary, and compares with the truth. Writes DIR/fit.html (opens without a network) and DIR/fit.xloom.
"""

import argparse
from pathlib import Path

import torch

import crossloom as xl
from crossloom.devices import make_device, read
from crossloom.spec import CellSpec

WINDOW = {"g_min": 2e-6, "g_max": 40e-6}
TRUTH = CellSpec(
    **WINDOW,
    pulse={
        "width": 1e-7,
        "step": 1e-6,
        "max_width": 2e-7,
        "voltage": 1.5,
        "max_voltage": 1.7,
        "voltage_scale": 0.25,
    },
    device={
        "kind": "gaussian",
        "read_noise": {"coefficients": [0.05e-6, 0.25e-6], "scale": 40e-6},
        "programming_error": {"coefficients": [0.4e-6, 1.6e-6, -0.8e-6], "scale": 40e-6},
        "pulse_spread": 0.25,
        "relaxation": {
            "kind": "tabulated",
            "times": [1.0, 100.0],
            "spreads": [
                {"coefficients": [0.3e-6, 0.8e-6], "scale": 40e-6},
                {"coefficients": [0.6e-6, 1.6e-6], "scale": 40e-6},
            ],
            "shifts": [-0.1e-6, -0.5e-6],
        },
    },
)
COLORS = ("#3b6fd4", "#e0862f", "#3a9d5d", "#c8485a", "#8a63c9", "#1fa3b5", "#b8922a")


def measure_cells(path: Path, generator: torch.Generator, num_cells: int = 2000, num_reads: int = 3) -> Path:
    """Write cells to targets all over the window; read them at once, after 1 s and after 100 s."""
    model = make_device(TRUTH)
    target = torch.empty(1, num_cells, dtype=torch.float64).uniform_(4e-6, 38e-6, generator=generator)
    state = model.set(model.deliver((1, num_cells), generator, generator), target, generator)
    rows, elapsed = [], 0.0
    for wait in (0.0, 1.0, 99.0):
        state, elapsed = model.relax(state, wait, generator), elapsed + wait
        for number in range(num_reads):
            found = read(model, state, generator).clamp(min=0)
            columns = zip(target[0].tolist(), found[0].tolist(), strict=True)
            rows += [
                f"{cell},{number},{elapsed},{t:.9g},{g * 1e6:.6f}" for cell, (t, g) in enumerate(columns)
            ]
    path.write_text("\n".join(["cell,read,elapsed_s,target_S,conductance_uS", *rows]) + "\n")
    return path


def measure_pulses(path: Path, generator: torch.Generator, num_cells: int = 300, num_pulses: int = 8) -> Path:
    """Set and reset pulses of three widths and three voltages; each cell is read before and after."""
    model, shape = make_device(TRUTH), (1, num_cells)
    start = torch.full(shape, 20e-6, dtype=torch.float64)
    state, rows = model.set(model.deliver(shape, generator, generator), start, generator), []
    for number in range(num_pulses):
        draw = torch.randint(0, 3, (2, *shape), generator=generator)
        widths = torch.tensor([0.5e-7, 1e-7, 2e-7])[draw[0]] * (-1.0) ** number
        voltages = torch.tensor([1.3, 1.5, 1.7], dtype=torch.float64)[draw[1]]
        before = read(model, state, generator)
        state = model.pulse(state, widths, generator, voltages)
        after = read(model, state, generator)
        columns = (widths[0] * 1e9, voltages[0], before[0] * 1e6, after[0] * 1e6)
        numbers = zip(*(column.tolist() for column in columns), strict=True)
        rows += [
            f"{cell},{number},{w:.4g},{v:.4g},{b:.6f},{a:.6f}" for cell, (w, v, b, a) in enumerate(numbers)
        ]
    header = "cell,pulse,width_ns,voltage_V,conductance_before_uS,conductance_after_uS"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def truth_of(name: str, fit: xl.DeviceFit) -> float | None:
    """The known device's value of a parameter, a polynomial's in the scale of the fit; None where it has none."""
    value, path = TRUTH.model_dump(), name.replace("[", ".").replace("]", "").split(".")
    if path[0] == "measured":
        return 0.0 if path[1] == "programming_shift" else None
    for part in path:
        spread = value if isinstance(value, dict) and "coefficients" in value else None
        if spread and part == "coefficients":
            value = [c * (fit.g_max / spread["scale"]) ** i for i, c in enumerate(spread["coefficients"])]
        elif isinstance(value, list | tuple):
            value = value[int(part)] if int(part) < len(value) else 0.0
        else:
            value = value[part]
    return value


def compare(fit: xl.DeviceFit) -> str:
    """How many intervals hold the truth."""
    known = [(each, truth_of(each.name, fit)) for each in fit.parameters]
    held = [each.low <= true <= each.high for each, true in known if true is not None]
    missed = [each.name for each, true in known if true is not None and not each.low <= true <= each.high]
    text = f"{sum(held)} of {len(held)} intervals hold the number that the measurements were made with"
    return f"{text}; not: {', '.join(missed)}" if missed else text


def draw(fit: xl.DeviceFit, path: Path, is_known: bool) -> Path:
    """Spreads over conductance, residuals against the normal distribution, and all parameters."""
    from plotly.graph_objects import Figure
    from plotly.subplots import make_subplots

    plots, table = 430, 26 * (len(fit.parameters) + 2)
    titles = ("Spread: measured ± 1 standard error, and fitted", "Residuals: on the line if Gaussian", "")
    figure: Figure = make_subplots(
        rows=2,
        cols=2,
        specs=[[{"type": "xy"}, {"type": "xy"}], [{"type": "table", "colspan": 2}, None]],
        subplot_titles=titles,
        row_heights=[plots, table],
        vertical_spacing=90 / (plots + table),
    )
    quantiles = [-3 + 0.25 * number for number in range(25)]
    figure.add_scatter(
        x=[-3, 3],
        y=[-3, 3],
        mode="lines",
        line={"color": "#98a2b1", "dash": "dot"},
        showlegend=False,
        row=1,
        col=2,
    )
    for number, (name, goodness) in enumerate(fit.goodness.items()):
        look = {"name": name, "legendgroup": name}
        color = COLORS[number % len(COLORS)]
        if name not in ("pulse response", "drift exponent"):
            points = sorted(goodness.points, key=lambda point: point.conductance)
            x = [point.conductance * 1e6 for point in points]
            bars = {
                "type": "data",
                "array": [point.error * 1e6 for point in points],
                "thickness": 1,
                "width": 2,
            }
            measured, fitted = (
                [getattr(point, side) * 1e6 for point in points] for side in ("measured", "fitted")
            )
            marker = {"color": color, "size": 6}
            figure.add_scatter(
                x=x,
                y=measured,
                error_y=bars,
                mode="markers",
                marker=marker,
                showlegend=False,
                **look,
                row=1,
                col=1,
            )
            figure.add_scatter(
                x=x, y=fitted, mode="lines", line={"color": color}, showlegend=False, **look, row=1, col=1
            )
        residuals = list(goodness.residual_quantiles)
        figure.add_scatter(
            x=quantiles,
            y=residuals,
            mode="lines+markers",
            marker={"color": color, "size": 4},
            **look,
            row=1,
            col=2,
        )
    widths = [2.2, 1, 1, 1.6, 1]
    figure.add_table(header=_header(is_known), cells=_cells(fit, is_known), columnwidth=widths, row=2, col=1)
    figure.update_xaxes(title="conductance (µS)", row=1, col=1)
    figure.update_yaxes(
        title="standard deviation, reads' noise included (µS)", rangemode="tozero", row=1, col=1
    )
    figure.update_xaxes(title="normal quantile", row=1, col=2)
    figure.update_yaxes(title="standardised residual", range=[-6, 6], row=1, col=2)
    figure.update_layout(
        template="plotly_white",
        title=f"Device fitted to {', '.join(fit.files)}",
        height=plots + table + 130,
        legend={"orientation": "h", "y": 1.05, "yanchor": "bottom", "x": 1, "xanchor": "right"},
        margin={"t": 110, "b": 20},
    )
    figure.write_html(path, include_plotlyjs=True)
    return path


def _header(is_known: bool) -> dict:
    names = ["parameter", "value", "standard error", "interval", *(["true"] if is_known else [])]
    return {"values": names, "align": "left", "fill_color": "#eceef1"}


def _cells(fit: xl.DeviceFit, is_known: bool) -> dict:
    def show(value: float | None, unit: str) -> str:
        return "" if value is None else xl.format_si(value, unit) if unit else f"{value:.4g}"

    rows = [
        [
            each.name,
            show(each.value, each.unit),
            show(each.error, each.unit),
            f"{show(each.low, each.unit)} to {show(each.high, each.unit)}",
            *([show(truth_of(each.name, fit), each.unit)] if is_known else []),
        ]
        for each in fit.parameters
    ]
    return {"values": list(zip(*rows, strict=True)), "align": "left", "height": 24, "fill_color": "#ffffff"}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--csv", type=Path, nargs="+", default=[])
    parser.add_argument("--degree", type=int, default=2)
    parser.add_argument("--over-time", choices=("tabulated", "logarithmic", "drift"), default="tabulated")
    parser.add_argument("--with-outliers", action="store_true")
    parser.add_argument("--output", type=Path, default=Path("out/fit_my_device"))
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    files = options.csv
    if not files:
        generator = torch.Generator().manual_seed(options.seed)
        files = [
            measure_cells(options.output / "cells.csv", generator),
            measure_pulses(options.output / "pulses.csv", generator),
        ]
    config = xl.FitConfig(
        degree=options.degree, over_time=options.over_time, with_outliers=options.with_outliers
    )
    fit = xl.fit_device(files, config)
    print(fit.summary())
    if not options.csv:
        print(f"\n{compare(fit)}")
    fit.save(options.output / "fit.xloom")
    print(f"picture: {draw(fit, options.output / 'fit.html', not options.csv)}")


if __name__ == "__main__":
    main()
