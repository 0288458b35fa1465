// Draws the figures of this page in the colours of its style sheet, light or dark.
(() => {
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const holders = [...document.querySelectorAll("[data-figure]")];
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  // "var(--ink)" and its like become what the style sheet says now.
  const resolve = (value) => {
    if (typeof value === "string") return value.replace(/^var\((--[a-z-]+)\)$/, (_, name) => color(name));
    if (Array.isArray(value)) return value.map(resolve);
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, resolve(item)]));
  };

  const themed = (layout) => {
    const own = resolve(layout);
    own.font = { family: color("--font"), size: 12, color: color("--ink") };
    own.paper_bgcolor = own.plot_bgcolor = "rgba(0,0,0,0)";
    own.hoverlabel = {
      align: "left",
      bgcolor: color("--card"),
      bordercolor: color("--line"),
      font: { color: color("--ink"), family: color("--font") },
    };
    for (const key of new Set([...Object.keys(own).filter((name) => /^[xy]axis\d*$/.test(name)), "xaxis", "yaxis"])) {
      own[key] = {
        gridcolor: color("--line"),
        zerolinecolor: color("--line"),
        linecolor: color("--line"),
        fixedrange: true,
        ...own[key],
      };
      if (own[key].title) own[key].title = { standoff: 10, font: { size: 12, color: color("--muted") }, ...own[key].title };
    }
    return own;
  };

  const draw = (holder) => {
    const figure = figures[holder.dataset.figure];
    Plotly.react(holder, resolve(figure.data), themed(figure.layout), { responsive: true, displayModeBar: false });
  };

  const find = (button) => {
    const holder = document.querySelector("[data-figure=floor]");
    const isOn = button.getAttribute("aria-pressed") === "true";
    for (const other of document.querySelectorAll(".legend button")) other.setAttribute("aria-pressed", "false");
    button.setAttribute("aria-pressed", String(!isOn));
    const sought = button.dataset.escaped;
    Plotly.restyle(holder, { opacity: figures.floor.data.map((trace) => (isOn || trace.name === sought ? 1 : 0.18)) });
  };

  // Other columns on the axes of the Pareto front.
  const take = (values, numbers) => numbers.map((number) => values[number]);

  const choose = () => {
    const figure = figures.study_front;
    const axes = figure.axes;
    const chosen = {};
    for (const list of document.querySelectorAll("select[data-axis]")) chosen[list.dataset.axis] = Number(list.value);
    axes.traces.forEach((numbers, index) => {
      const trace = figure.data[index];
      const own = numbers ?? axes.borders[`${chosen.x},${chosen.y}`] ?? [];
      for (const letter of ["x", "y"]) {
        const column = axes.columns[chosen[letter]];
        trace[letter] = take(column.values, own);
        if (trace[`error_${letter}`]) trace[`error_${letter}`].array = column.errors ? take(column.errors, own) : [];
      }
      if (numbers === null) trace.line.shape = axes.columns[chosen.x].shape;
    });
    for (const letter of ["x", "y"]) figure.layout[`${letter}axis`] = axes.columns[chosen[letter]].axis;
    draw(document.querySelector("[data-figure=study_front]"));
  };

  for (const list of document.querySelectorAll("select[data-axis]")) list.addEventListener("change", choose);

  for (const button of document.querySelectorAll(".legend button")) {
    const text = document.createElement("i");
    text.textContent = button.dataset.layer;
    button.dataset.escaped = figures.floor.data.map((trace) => trace.name).find((name) => {
      text.innerHTML = name;
      return text.textContent === button.dataset.layer;
    });
    button.addEventListener("click", () => find(button));
  }
  const drawAll = () => holders.forEach(draw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  drawAll();
})();
