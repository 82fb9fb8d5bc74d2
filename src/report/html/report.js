// Makes the report's tables searchable and sortable, and draws its plots. Everything it shows stands in the page: nothing is fetched.
"use strict";
(() => {
  const runs = JSON.parse(document.getElementById("runs").textContent);
  const colors = ["#0b6fc2", "#d1495b", "#2a9d55", "#8a5bd1", "#c97a00", "#0c9aa8", "#b0418c", "#7a7a1e"];
  const label = (key) => ({ macs: "multiply-adds" })[key] ?? key.replaceAll("_", " ");
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const short = (value) => {
    if (value === null || value === undefined) return "–";
    const size = Math.abs(value);
    for (const [unit, name] of [[1e9, "G"], [1e6, "M"], [1e4, "k"]])
      if (size >= unit) return +(value / (name === "k" ? 1e3 : unit)).toPrecision(4) + " " + name;
    return String(+value.toPrecision(4));
  };
  const shown = (key, value) => (key === "accuracy" || key === "agreement") && typeof value === "number" ? +(100 * value).toFixed(2) + " %" : short(value);
  const element = (name, attributes = {}, ...children) => {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  };
  const choice = (text, keys, onChange) => {
    const select = element("select", {}, ...keys.map((key) => element("option", { value: key }, label(key))));
    select.addEventListener("change", onChange);
    return [element("label", {}, text, select), select];
  };

  // Every plot is drawn anew when the window's width or the color scheme changes.
  const redraw = [];
  let waiting = 0;
  const later = () => { clearTimeout(waiting); waiting = setTimeout(() => redraw.forEach((draw) => draw()), 100); };
  addEventListener("resize", later);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", later);

  // Axes whose labels are short, in the page's colors.
  const axes = (x, y) => [x, y].map((key, place) => ({
    label: label(key), stroke: css("--text"), size: place ? 70 : 40, grid: { stroke: css("--line") }, ticks: { stroke: css("--line") },
    values: (plot, values) => values.map((value) => (value === null ? "" : shown(key, value))),
  }));

  // --- Quality against cost: each network of every run is a point.

  const costs = ["macs", "parameters", "latency", "seconds", "keep", "samples"], qualities = ["accuracy", "agreement", "quality", "loss", "error"];
  const points = [];
  runs.forEach((run, index) => {
    const from = runs.length > 1 ? ` (run ${index + 1})` : "";
    (run.results ?? []).forEach((result, row) => {
      if (result.failure) return;
      const name = [result.method ?? result.network ?? "network", result.refit ? "refit" : "", result.widths === "chosen" ? "chosen widths" : ""];
      points.push({ ...result, name: name.filter(Boolean).join(", ") + from, run: index, row });
    });
    if (run.source) points.push({ ...run.source, name: "source" + from, run: index, row: -1 });
    for (const when of ["before", "after"])
      if (run[when]?.macs !== undefined) {
        const figures = run[when];
        const rates = ["accuracy", "agreement"].filter((key) => typeof figures[key] === "object" && figures[key]);
        points.push({ ...figures, ...Object.fromEntries(rates.map((key) => [key, figures[key].rate])),
          standard_errors: Object.fromEntries(rates.map((key) => [key, figures[key].standard_error])), error: figures.output_error, name: when + from, run: index, row: -1 });
      }
  });

  // The binomial standard error of a rate, 0 where there is none.
  const deviation = (point, key) =>
    point.standard_errors?.[key] ??
    ((key === "accuracy" || key === "agreement") && point.count ? Math.sqrt((point[key] * (1 - point[key])) / point.count) : 0);

  const quality = (place) => {
    const has = (key) => points.filter((point) => typeof point[key] === "number").length > 1;
    const x = costs.filter(has), y = qualities.filter(has);
    if (!x.length || !y.length) return;
    const figure = element("figure", { id: "quality" }), area = element("div"), tip = element("div", { class: "tip", "aria-live": "polite" });
    let draw = () => {};
    const [xLabel, xSelect] = choice("against", x, () => draw()), [yLabel, ySelect] = choice("", y, () => draw());
    const log = element("input", { type: "checkbox" });
    log.addEventListener("change", () => draw());
    figure.append(element("h3", {}, "Quality against cost"), element("div", { class: "controls" }, yLabel, xLabel,
      element("label", {}, log, "logarithmic")), area, tip,
      element("figcaption", {}, "Bars are one standard error of a rate over that many samples. Move over a point, or a row of the tables below."));
    place.append(figure);
    const mark = (point) => {
      document.querySelectorAll("tr.marked").forEach((row) => row.classList.remove("marked"));
      if (!point) return void (tip.textContent = "");
      tip.textContent = `${point.name}: ${label(ySelect.value)} ${shown(ySelect.value, point[ySelect.value])}, ${label(xSelect.value)} ${short(point[xSelect.value])}`;
      document.querySelector(`[data-run="${point.run}"] table[data-key="results"] tr[data-row="${point.row}"]`)?.classList.add("marked");
    };
    draw = () => {
      const kx = xSelect.value, ky = ySelect.value;
      const kept = points.filter((point) => typeof point[kx] === "number" && typeof point[ky] === "number" && (!log.checked || point[kx] > 0))
        .sort((a, b) => a[kx] - b[kx]);
      const names = [...new Set(kept.map((point) => point.name))];
      const data = [kept.map((point) => point[kx]), ...names.map((name) => kept.map((point) => (point.name === name ? point[ky] : null)))];
      const bars = (plot) => {
        const context = plot.ctx;
        context.save();
        kept.forEach((point) => {
          const error = deviation(point, ky);
          if (!error) return;
          context.strokeStyle = colors[names.indexOf(point.name) % colors.length];
          context.lineWidth = devicePixelRatio;
          const at = plot.valToPos(point[kx], "x", true);
          context.beginPath();
          context.moveTo(at, plot.valToPos(point[ky] - error, "y", true));
          context.lineTo(at, plot.valToPos(point[ky] + error, "y", true));
          context.stroke();
        });
        context.restore();
      };
      area.replaceChildren();
      new uPlot({
        width: Math.max(300, area.clientWidth), height: 380, cursor: { focus: { prox: 30 } }, axes: axes(kx, ky),
        scales: { x: { time: false, distr: log.checked ? 3 : 1 }, y: {} },
        series: [{ label: label(kx), value: (plot, value) => short(value) }, ...names.map((name, i) => ({
          label: name, stroke: colors[i % colors.length], spanGaps: true, width: 1.5, value: (plot, value) => shown(ky, value),
          points: { show: true, size: 8, fill: colors[i % colors.length] },
        }))],
        hooks: { draw: [bars], setCursor: [(plot) => mark(plot.cursor.idx === null || plot.cursor.idx === undefined ? null : kept[plot.cursor.idx])] },
      }, data, area);
    };
    redraw.push(draw);
    draw();
  };

  // --- Lines over epochs.

  const lines = (place, title, rows, x, keys) => {
    const present = keys.filter((key) => rows.filter((row) => typeof row[key] === "number").length > 1);
    if (!present.length) return;
    const figure = element("figure"), area = element("div");
    const [select, chosen] = choice("", present, () => draw());
    figure.append(element("h3", {}, title), element("div", { class: "controls" }, select), area);
    place.append(figure);
    const draw = () => {
      area.replaceChildren();
      new uPlot({
        width: Math.max(300, area.clientWidth), height: 280, axes: axes(x, chosen.value), scales: { x: { time: false } },
        series: [{ label: label(x) }, { label: label(chosen.value), stroke: colors[0], width: 2, points: { show: rows.length < 60 },
          value: (plot, value) => shown(chosen.value, value) }],
      }, [rows.map((row, i) => (typeof row[x] === "number" ? row[x] : i)), rows.map((row) => row[chosen.value] ?? null)], area);
    };
    redraw.push(draw);
    draw();
  };

  // --- Tables: search, sorting, rows that show their group.

  const enhance = (table, run, index) => {
    const body = table.tBodies[0], rows = [...body.rows], key = table.dataset.key;
    if (rows.length > 8) {
      const search = element("input", { type: "search", placeholder: `search ${rows.length} rows`, "aria-label": `search ${label(key)}` });
      search.addEventListener("input", () => {
        const wanted = search.value.toLowerCase();
        rows.forEach((row) => (row.hidden = !row.textContent.toLowerCase().includes(wanted)));
      });
      table.parentElement.before(element("div", { class: "controls" }, search));
    }
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      const button = element("button", { type: "button", title: "sort" }, head.textContent);
      head.replaceChildren(button);
      let up = true;
      button.addEventListener("click", () => {
        const value = (row) => { const cell = row.cells[column]; return cell?.dataset.v === undefined ? cell?.textContent ?? "" : +cell.dataset.v; };
        rows.sort((a, b) => {
          const x = value(a), y = value(b);
          return (typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y))) * (up ? 1 : -1);
        });
        up = !up;
        body.append(...rows);
      });
    });
    if (key === "groups") rows.forEach((row) => {
      row.tabIndex = 0;
      const show = () => showGroup(row, run, index);
      row.addEventListener("click", show);
      row.addEventListener("keydown", (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); show(); } });
    });
  };

  const showGroup = (row, run, index) => {
    const section = document.querySelector(`[data-run="${index}"]`), group = run.groups[+row.dataset.row];
    section.querySelectorAll("table[data-key='groups'] tr.chosen").forEach((other) => other.classList.remove("chosen"));
    row.classList.add("chosen");
    const place = section.querySelector(".chosen-group");
    place.replaceChildren(element("h3", {}, group.name));
    if (Array.isArray(group.curve) && group.curve.length > 1)
      lines(place, "Error by width", group.curve.map((error, width) => ({ width: width + 1, error })), "width", ["error"]);
    if (Array.isArray(group.nodes)) place.append(element("p", {}, `kept channels: ${group.nodes.join(", ")}`));
    if (Array.isArray(group.members)) place.append(element("details", {}, element("summary", {}, `${group.members.length} members`),
      element("pre", {}, group.members.map((member) => `${member.tensor}[${member.axis}]  ${member.role}`).join("\n"))));
    const nodes = [...section.querySelectorAll(".drawing g.node")];
    const within = nodes.filter((node) => node.textContent.includes(group.name) || node.querySelector("a")?.getAttribute("xlink:title")?.includes(group.name));
    nodes.forEach((node) => { node.classList.toggle("marked", within.includes(node)); node.classList.toggle("faded", within.length > 0 && !within.includes(node)); });
    within[0]?.scrollIntoView({ block: "nearest", inline: "nearest" });
  };

  runs.forEach((run, index) => {
    const section = document.querySelector(`[data-run="${index}"]`), plots = section.querySelector(".plots");
    if (Array.isArray(run.epochs))
      lines(plots, "Training", run.epochs, "epoch", ["loss", "accuracy", "metric", "learning_rate", "seconds"]);
    section.querySelectorAll("table[data-key]").forEach((table) => enhance(table, run, index));
  });
  quality(document.getElementById("plots"));
  document.documentElement.dataset.ready = "true";
})();
