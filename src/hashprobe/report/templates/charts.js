// Charts as SVG: drawn to the width that there is, read by pointer or arrow keys, their lines switched in the legend.

const DASH = ["", "6 3", "2 3"];
const SHAPES = [
  (x, y) => `M${x - 4} ${y}a4 4 0 1 0 8 0a4 4 0 1 0-8 0`, (x, y) => `M${x - 3.6} ${y - 3.6}h7.2v7.2h-7.2z`,
  (x, y) => `M${x} ${y - 5}l5 5l-5 5l-5-5z`, (x, y) => `M${x} ${y - 4.8}l4.6 8.4h-9.2z`, (x, y) => `M${x} ${y + 4.8}l4.6-8.4h-9.2z`,
  (x, y) => `M${x - 2} ${y - 5}h4v3h3v4h-3v3h-4v-3h-3v-4h3z`, (x, y) => `M${x - 4.8} ${y}l8.4-4.6v9.2z`, (x, y) => `M${x + 4.8} ${y}l-8.4-4.6v9.2z`,
];
const shape = (line, x, y) => SHAPES[(Math.max(line.colour, 0) + 3 * line.dash) % SHAPES.length](x, y);
const inks = (line) => (line.hollow ? { fill: "var(--paper)", stroke: colourOf(line), "stroke-width": 2 } : { fill: colourOf(line), stroke: "var(--paper)" }); // a ring: unbounded
const colourOf = (line) => (line.colour < 0 ? "var(--grey)" : `var(--c${line.colour})`);

/** Round numbers that cover a range, about so many. */
function ticks(low, high, wanted) {
  const raw = (high - low) / wanted || 1, power = 10 ** Math.floor(Math.log10(raw));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= raw);
  const found = [];
  for (let value = Math.ceil(low / step) * step; value <= high + step * 1e-6; value += step) found.push(Number(value.toPrecision(12)));
  return found;
}

function logTicks(low, high) {
  const found = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
    for (const factor of high / low > 1e3 ? [1] : high / low > 30 ? [1, 3] : [1, 2, 5]) found.push(factor * 10 ** power);
  }
  const kept = found.filter((value) => value >= low * 0.999 && value <= high * 1.001);
  return kept.length ? kept : [low, high];
}

/** Where values fall on the drawing: functions of x and y, and the ticks of both axes. */
function scales(chart, width, height, compact) {
  const xs = chart.lines.flatMap((line) => line.x), ys = chart.lines.flatMap((line) => line.y);
  const log = chart.x_scale === "log", inner = { left: compact ? 44 : 40, right: width - 12, top: 8, bottom: height - 40 };
  let [x0, x1] = [Math.min(...xs), Math.max(...xs)];
  const points = chart.lines.some((line) => line.points);
  if (log) [x0, x1] = points || x0 === x1 ? [x0 / 1.6, x1 * 1.6] : [x0, x1];
  else if (points) [x0, x1] = [0, x1 * 1.08];
  else if (chart.percent) [x0, x1] = [0, 1];
  else if (x0 === x1) x1 = x0 + 1;
  let [y0, y1] = chart.percent ? [0, 1] : [Math.min(...ys), Math.max(...ys)];
  if (!chart.percent) {
    if (y0 > 0 && y0 < 0.5 * y1) y0 = 0;
    const pad = (y1 - y0 || Math.abs(y1) || 1) * 0.06;
    [y0, y1] = [y0 === 0 ? 0 : y0 - pad, y1 + pad];
  }
  const along = (value) => (log ? Math.log(value / x0) / Math.log(x1 / x0) : (value - x0) / (x1 - x0));
  return {
    inner,
    x: (value) => inner.left + (inner.right - inner.left) * along(value),
    y: (value) => inner.bottom - (inner.bottom - inner.top) * ((value - y0) / (y1 - y0)),
    xTicks: chart.x_ticks.length ? chart.x_ticks : (log ? logTicks(x0, x1) : ticks(x0, x1, 5)).map((value) => [value, brief(value)]),
    yTicks: ticks(y0, y1, 5).map((value) => [value, chart.percent ? String(Math.round(100 * value)) : brief(value)]),
  };
}

function axes(chart, scale) {
  const { inner } = scale, parts = [];
  for (const [value, text] of scale.yTicks) {
    parts.push(makeSvg("line", { x1: inner.left, x2: inner.right, y1: scale.y(value), y2: scale.y(value), stroke: "var(--line)" }),
      makeSvg("text", { x: inner.left - 6, y: scale.y(value) + 4, "text-anchor": "end" }, text));
  }
  let last = -Infinity;
  for (const [value, text] of scale.xTicks) {
    const x = scale.x(value), half = text.length * 3.4;
    if (x - half < last + 6) continue;
    last = x + half;
    parts.push(makeSvg("line", { x1: x, x2: x, y1: inner.bottom, y2: inner.bottom + 4, stroke: "var(--grey)" }),
      makeSvg("text", { x, y: inner.bottom + 17, "text-anchor": x + half > inner.right + 10 ? "end" : "middle" }, text));
  }
  parts.push(makeSvg("line", { x1: inner.left, x2: inner.right, y1: inner.bottom, y2: inner.bottom, stroke: "var(--grey)" }),
    makeSvg("text", { x: inner.right, y: inner.bottom + 34, "text-anchor": "end" }, chart.x_label));
  return parts;
}

/** Horizontal lines for chance and for the unchanged queries, named where no point is in the way. */
function levelsOf(chart, scale) {
  const found = [["chance", chart.chance, "6 4"], ["unchanged queries", chart.reference, "2 3"]].filter(([, level]) => level !== null);
  const points = chart.lines.flatMap((line) => (line.points ? line.x.map((x, i) => [scale.x(x), scale.y(line.y[i])]) : []));
  const { left, right } = scale.inner;
  return found.flatMap(([what, level, dash]) => {
    const y = scale.y(level), text = `${what} ${percent(level)}`, width = 6.6 * text.length;
    const other = found.find(([, value]) => value !== level), below = other && other[1] > level && scale.y(level) - scale.y(other[1]) < 18;
    const base = below ? y + 14 : y - 5;
    const free = (x) => points.every(([px, py]) => px < x - 8 || px > x + width + 8 || py < base - 18 || py > base + 8);
    const places = [left + 5, (left + right - width) / 2, right - width - 5, left + 0.25 * (right - left), left + 0.6 * (right - left)];
    return [makeSvg("line", { x1: left, x2: right, y1: y, y2: y, stroke: "var(--grey)", "stroke-width": 1.25, "stroke-dasharray": dash }),
      makeSvg("text", { x: places.find(free) ?? places[0], y: base, class: "level" }, text)];
  });
}

function drawLine(line, scale) {
  const colour = colourOf(line), group = makeSvg("g", { fill: "none", stroke: colour });
  const path = line.x.map((x, i) => `${i ? "L" : "M"}${scale.x(x).toFixed(1)} ${scale.y(line.y[i]).toFixed(1)}`).join("");
  if (line.x.length > 1 && line.joined) group.append(makeSvg("path", { d: path, "stroke-width": 2, "stroke-dasharray": DASH[line.dash], "stroke-linejoin": "round", opacity: line.points ? 0.5 : 1 }));
  line.low.forEach((low, i) => group.append(makeSvg("line", { x1: scale.x(line.x[i]), x2: scale.x(line.x[i]), y1: scale.y(low), y2: scale.y(line.high[i]), "stroke-width": 1.5 })));
  if (line.points) line.x.forEach((x, i) => group.append(makeSvg("path", { d: shape(line, scale.x(x), scale.y(line.y[i])), ...inks(line) })));
  return group;
}

/** The value of a line at x, between its points; null outside them. */
function valueAt(line, x, log) {
  const after = line.x.findIndex((value) => value >= x);
  if (after < 0 || x < line.x[0]) return null;
  if (line.x[after] === x || after === 0) return line.y[after];
  const place = (value) => (log ? Math.log(value) : value), [a, b] = [line.x[after - 1], line.x[after]];
  return line.y[after - 1] + ((place(x) - place(a)) / (place(b) - place(a))) * (line.y[after] - line.y[after - 1]);
}

/** Draw a chart into a new element. */
function chartElement(chart, { compact = false } = {}) {
  const shown = chart.lines.map((line) => line.shown);
  const svg = makeSvg("svg", { role: "img", tabindex: 0, "aria-label": `${chart.title}. ${describe(chart)}` });
  const tip = make("div", { class: "tip", hidden: true, role: "status" });
  const legend = make("div", { class: "legend" });
  const keep = make("button", { type: "button", title: "Save this chart as SVG", onclick: () => save(`${chart.name}.svg`, "image/svg+xml", standalone(svg)) }, "SVG");
  const box = make("div", { class: "chart", "data-chart": chart.name }, make(compact ? "h4" : "h3", {}, make("span", {}, name(compact ? chart.y_label : chart.title)), keep), svg, tip, legend);
  let scale = null, stops = [], stop = -1;

  function draw() {
    const width = Math.max(box.clientWidth || 560, 240), height = compact ? 190 : Math.min(Math.max(width * 0.58, 240), 380);
    const visible = { ...chart, lines: chart.lines.filter((_, i) => shown[i]) };
    scale = scales(visible.lines.length ? visible : chart, width, height, compact);
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const unit = chart.percent ? chart.y_label : "";
    svg.replaceChildren(...axes(chart, scale), ...levelsOf(chart, scale),
      ...(unit ? [makeSvg("text", { x: scale.inner.left + 5, y: scale.inner.top + 9, class: "level" }, unit)] : []),
      ...visible.lines.map((line) => drawLine(line, scale)), makeSvg("g", { class: "cursor" }));
    stops = visible.lines.some((line) => line.points)
      ? visible.lines.flatMap((line) => line.x.map((x, i) => ({ x, line, i }))).sort((a, b) => a.x - b.x)
      : [...new Set(visible.lines.flatMap((line) => (line.x.length > 1 && chart.percent && chart.x_scale === "linear" ? Array.from({ length: 101 }, (_, i) => i / 100) : line.x)))].sort((a, b) => a - b).map((x) => ({ x }));
  }

  function show(at, pointerY) {
    const cursor = svg.querySelector(".cursor");
    stop = at;
    if (at < 0 || !stops[at]) {
      cursor.replaceChildren();
      tip.hidden = true;
      return;
    }
    const { x, line, i } = stops[at], read = line ? pointTip(line, i) : lineTip(x, pointerY);
    const px = scale.x(x), py = line ? scale.y(line.y[i]) : scale.inner.top;
    cursor.replaceChildren(...(line ? [makeSvg("circle", { cx: px, cy: py, r: 9, fill: "none", stroke: "var(--ink)", "stroke-width": 1.5 })]
      : [makeSvg("line", { x1: px, x2: px, y1: scale.inner.top, y2: scale.inner.bottom, stroke: "var(--ink)", "stroke-width": 1 }),
        ...read.marks.map(([y, colour]) => makeSvg("circle", { cx: px, cy: scale.y(y), r: 3.5, fill: colour, stroke: "var(--paper)" }))]));
    tip.replaceChildren(read.element);
    tip.hidden = false;
    const ratio = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width, left = px * ratio;
    const room = box.clientWidth - tip.offsetWidth;
    tip.style.left = `${Math.max(0, Math.min(room, left + 14 + tip.offsetWidth < box.clientWidth ? left + 14 : left - tip.offsetWidth - 14))}px`;
    tip.style.top = `${svg.getBoundingClientRect().top - box.getBoundingClientRect().top + (line ? Math.max(0, py * ratio - tip.offsetHeight - 10) : 10)}px`;
  }

  function pointTip(line, i) {
    const span = line.low.length ? ` (${percent(line.low[i])}–${percent(line.high[i])})` : "";
    return { element: make("div", {}, make("strong", {}, name(line.notes[i] ?? line.name)), make("br"), `${chart.y_label.replace(", %", "")} ${percent(line.y[i])}${span}`,
      make("br"), xText(line.x[i])) };
  }

  function lineTip(x, pointerY) {
    const values = chart.lines.map((line, i) => ({ line, y: shown[i] ? valueAt(line, x, chart.x_scale === "log") : null })).filter(({ y }) => y !== null).sort((a, b) => b.y - a.y);
    const near = pointerY === undefined ? null : values.reduce((best, v) => (best && Math.abs(scale.y(best.y) - pointerY) <= Math.abs(scale.y(v.y) - pointerY) ? best : v), null);
    const lines = values.map((v) => make("tr", { class: v === near ? "near" : null }, make("td", {}, swatch(v.line)), make("td", {}, name(shorten(v.line.name, 40))), make("td", {}, chart.percent ? percent(v.y) : brief(v.y))));
    return { marks: values.map(({ line, y }) => [y, colourOf(line)]), element: make("div", {}, xText(x), make("table", { role: "presentation" }, make("tbody", {}, ...lines))) };
  }

  function xText(x) {
    const tick = chart.x_ticks.find(([value]) => value === x);
    return `${chart.x_label.split(",")[0]} ${tick ? tick[1] : brief(x)}`;
  }

  svg.addEventListener("pointermove", (event) => {
    const frame = svg.getBoundingClientRect(), ratio = svg.viewBox.baseVal.width / frame.width;
    const px = (event.clientX - frame.left) * ratio, py = (event.clientY - frame.top) * ratio;
    const far = (s) => Math.hypot(scale.x(s.x) - px, s.line ? scale.y(s.line.y[s.i]) - py : 0);
    show(stops.reduce((best, s, i) => (best < 0 || far(s) < far(stops[best]) ? i : best), -1), py);
  });
  svg.addEventListener("pointerleave", () => show(-1));
  svg.addEventListener("blur", () => show(-1));
  svg.addEventListener("keydown", (event) => {
    const steps = { ArrowRight: 1, ArrowLeft: -1, Home: -stops.length, End: stops.length };
    if (event.key === "Escape") show(-1);
    if (!(event.key in steps)) return;
    event.preventDefault();
    show(Math.max(0, Math.min(stops.length - 1, stop + steps[event.key])));
  });
  if (chart.lines.length > 1) {
    chart.lines.forEach((line, i) => legend.append(make("button", { type: "button", "aria-pressed": String(shown[i]), onclick: (event) => {
      shown[i] = !shown[i];
      event.currentTarget.setAttribute("aria-pressed", String(shown[i]));
      draw();
    } }, swatch(line), name(line.name))));
  }
  draw();
  new ResizeObserver(() => { if (Math.abs(svg.viewBox.baseVal.width - box.clientWidth) > 1 && box.clientWidth) draw(); }).observe(box);
  return box;
}

function swatch(line) {
  const mark = line.points ? makeSvg("path", { d: shape(line, 11, 5), ...inks(line) }) : makeSvg("line", { x1: 0, x2: 22, y1: 5, y2: 5, stroke: colourOf(line), "stroke-width": 2.5, "stroke-dasharray": DASH[line.dash] });
  return makeSvg("svg", { viewBox: "0 0 22 10", width: 22, height: 10, "aria-hidden": "true" }, mark);
}

/** What a chart says, for those who do not see it: the last value of every line. */
function describe(chart) {
  const text = (value) => (chart.percent ? `${percent(value)} %` : brief(value));
  const lines = chart.lines.slice(0, 12).map((line) => `${line.name}: ${line.points ? line.y.map(text).join(", ") : `${text(line.y[0])} to ${text(line.y.at(-1))}`}`);
  return `${chart.chance === null ? "" : `Chance ${percent(chart.chance)} %. `}${lines.join("; ")}.`;
}

/** The chart as a file of its own: the page's colours and font written into it. */
function standalone(svg) {
  const clone = svg.cloneNode(true), probe = svg.appendChild(makeSvg("g"));
  const resolved = (variable) => {
    probe.style.color = `var(${variable})`;
    return getComputedStyle(probe).color;
  };
  clone.querySelector(".cursor")?.remove();
  clone.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  clone.setAttribute("font-family", "sans-serif");
  clone.setAttribute("font-size", "12");
  for (const text of clone.querySelectorAll("text")) text.setAttribute("fill", "var(--dim)");
  const text = clone.outerHTML.replace(/var\((--[a-z0-9]+)\)/g, (_, variable) => resolved(variable));
  probe.remove();
  return text;
}

function startCurves() {
  const { sets } = data.charts, unique = (key) => [...new Set(sets.map((set) => set[key]))];
  const wanted = { group: data.table.groups[0] ?? "", setting: sets[0]?.setting };
  const draw = () => {
    const set = sets.find((s) => s.group === wanted.group && s.setting === wanted.setting) ?? sets.find((s) => s.group === wanted.group) ?? sets[0];
    const scatter = (chart) => chart.lines.some((line) => line.points);
    byId("curve-charts").replaceChildren(...[set.charts.filter((chart) => !scatter(chart)), set.charts.filter(scatter)].map((charts) =>
      make("div", { class: charts.length > 2 ? "charts three" : "charts" }, ...charts.map((chart) => chartElement(chart)))));
  };
  for (const [key, label] of [["group", data.table.groups.includes("untargeted") ? "Goal or protocol" : "Protocol"], ["setting", "Setting"]]) {
    if (unique(key).length < 2) continue;
    byId("curve-controls").append(menu(label, unique(key).map((v) => [v, v]), wanted[key], (value) => { wanted[key] = value; draw(); }));
  }
  draw();
  for (const log of data.training) {
    const charts = make("div", { class: "charts compact" });
    byId("training-charts").append(make("h3", { class: "log" }, name(log.name)), charts);
    for (const chart of log.charts) charts.append(chartElement(chart, { compact: true }));
  }
}
