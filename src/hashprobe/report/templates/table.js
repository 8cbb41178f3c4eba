// The result table: filter, sort, copy. Rows are drawn up to a page at a time, so that thousands stay quick.

const PAGE = 200, NEAR = "≈";

/** The value of a column in a row, whether its texts are interned or not. */
function cell(column, row) {
  const values = data.table.columns[column];
  return Array.isArray(values) ? values[row] : values.texts[values.index[row]];
}

const levels = (value) => (value === null ? "–" : String(Number((255 * value).toFixed(1))));
const seconds = (value) => (value === null ? "–" : value < 1 ? `${brief(1000 * value)} ms` : `${brief(value)} s`);
const count = (value) => (value === null ? "–" : value.toLocaleString("en-US", { maximumFractionDigits: 1 }));
const short = (value) => (/^[0-9a-f]{40,}$/.test(value) ? value.slice(0, 8) : value || "–");
const isCode = (row) => cell("is_code", row);
const interval = (row) => (cell("score_low", row) === null || cell("score_high", row) === null ? "–" : `${percent(cell("score_low", row))}–${percent(cell("score_high", row))}`);
const passesText = (row) => (cell("passes", row) === null ? "–" : `${count(cell("forward_passes", row) ?? 0)} + ${count(cell("backward_passes", row) ?? 0)}`);

// key, heading, what it means, how it is written. One without "always" appears when asked for, or else when its values
// differ, or differ from "usual"; one that is "copied" is among what is copied then, and else stands under the attack's name. A heading may depend on what the shown rows' score is called; "unless" says for which goal a column is left out.
const COLUMNS = [
  { key: "attack", head: "Attack", help: "Original: unchanged queries. … code: the target code itself is the query.", always: true },
  { key: "goal", head: "Goal", help: "Towards pictures of a target label, or away from the query's own" },
  { key: "code", head: "Code", help: "How the code that is aimed at was made", write: (v) => (v === "none" || v === "" ? "–" : v), always: true },
  { key: "protocol", head: "Protocol", help: "How target labels were drawn", always: true, unless: "untargeted" },
  { key: "budget", head: "Budget", help: "Largest change of a pixel value that was allowed", always: true, order: budgetOrder },
  { key: "numbers", head: "Numbers", help: "What tells attacks of one name apart", optional: true, copied: true },
  { key: "attacked_model", head: "Made on", help: "Transfer: the other model that the attack was made against", write: (v) => (v ? `transfer: ${short(v)}` : "–"), usual: [null, ""] },
  { key: "index", head: "Index", help: "What searched; scan compares all codes", usual: ["scan"] },
  { key: "index_recall", head: "Recall, %", help: "Share of the nearest items that the index finds; – where it is exact", write: (v) => percent(v), usual: [null] },
  { key: "top_k", head: "First", help: "How many of the first places the score counts; all if not said", write: (v) => (v === null ? "all" : count(v)), usual: [null] },
  { key: "score", head: (score) => `${score}, %`, help: "Mean average precision: for the target label (t-MAP), or for the query's own labels after an untargeted attack (MAP)", write: (v) => percent(v), always: true },
  { key: "interval", head: "95 % interval", help: "Bootstrap over queries; the tick marks chance", always: true, value: (row) => cell("score_low", row), write: (_, row) => interval(row) },
  { key: "score_chance", head: "Chance, %", help: "The same for a random ranking", write: (v) => percent(v), always: true },
  { key: "map", head: "MAP, %", help: "For the query's own labels, after the attack", write: (v) => percent(v), always: true, unless: "untargeted" },
  { key: "map_benign", head: "MAP benign, %", help: "For the query's own labels, without attack", write: (v) => percent(v), shown: (goals) => goals.has("untargeted") },
  { key: "map_chance", head: "MAP chance, %", help: "MAP of a random ranking", write: (v) => percent(v) },
  { key: "linf", head: "L∞, of 255", help: "Largest change of a pixel value", write: levels, always: true },
  { key: "rms", head: "RMS", help: "Perceptibility: root of the mean squared change, pixel values in [0, 1]", write: (v) => (v === null ? "–" : v.toFixed(4)), always: true },
  { key: "score_png", head: (score) => `8-bit ${score}, %`, help: "After rounding to 8 bit, as a saved picture is", write: (v) => percent(v), always: true },
  { key: "bits_moved", head: "Bits moved", help: "By how many bits the code changed, the mean", write: (v) => count(v), usual: [null] },
  { key: "goal_bits", head: "Bits to go", help: "Distance of the code from the one that the goal wants, the mean", write: (v) => count(v), usual: [null] },
  { key: "l2", head: "L2", help: "Largest length of an image's change, pixel values in [0, 1]", write: (v) => count(v), optional: true },
  { key: "seconds_per_image", head: "Time", help: "An image", write: seconds, always: true },
  { key: "passes", head: "Passes", help: "Forward + backward passes an image", always: true, write: (_, row) => passesText(row) },
  { key: "questions", head: "Questions", help: "How often the search was asked, an image", write: count, usual: [null, 0] },
  { key: "data", head: "Data", help: "Data set" },
  { key: "model", head: "Model", help: "Hash model", write: short },
  { key: "bits", head: "Bits", help: "Length of the hash code", write: (v) => count(v) },
  { key: "seed", head: "Seed", help: "Of target labels, codes and attack", write: (v) => String(v ?? "–") },
  { key: "training_seed", head: "Training seed", help: "Of the attack's own training", write: (v) => String(v ?? "–"), usual: [null] },
  { key: "training_seeds", head: "Seeds", help: "Training seeds that the line is the mean of; its interval is from the lowest to the highest", write: (v) => count(v), usual: [null] },
  { key: "queries", head: "Queries", help: "Number of queries", write: (v) => count(v), optional: true },
  { key: "device", head: "Device", help: "Where it ran", optional: true },
  { key: "threads", head: "Threads", help: "CPU threads", write: (v) => count(v), optional: true },
  { key: "attack_settings", head: "Settings", help: "The attack's numbers", optional: true },
  { key: "row", head: "Row", help: "The id in results.jsonl", optional: true },
];
const NUMBERS = new Set(["interval", "seconds_per_image", "passes"]);

// Where there is no room, columns that are in neither list go first, then these in order; those that tell rows apart go under the attack's name.
const DROPPED = ["score_png", "goal_bits", "bits_moved", "passes", "rms", "seconds_per_image", "linf", "map_chance", "index_recall", "questions", "interval"];
const FOLDED = ["code", "protocol", "goal", "attacked_model", "index", "top_k", "data", "model", "bits", "seed", "training_seed", "budget"];
const KEPT = ["map_benign", "map", "score_chance", "score", "attack"];

function budgetOrder(row) {
  const text = cell("budget", row);
  return { none: -2, "no picture": -1, unbounded: Infinity }[text] ?? cell("epsilon", row);
}

/** A bar from 0 to 100 with the interval, the value, and a tick at chance. */
function intervalBar(row) {
  const x = (fraction) => 2 + 146 * fraction;
  const value = cell("score", row), chance = cell("score_chance", row);
  const low = cell("score_low", row) ?? value, high = cell("score_high", row) ?? value;
  const colour = cell("is_attack", row) && !cell("is_noise", row) ? "var(--target)" : "var(--grey)";
  return makeSvg("svg", { viewBox: "0 0 150 18", role: "img", "aria-label": `${interval(row)}, chance ${percent(chance)}` },
    makeSvg("line", { x1: 2, x2: 148, y1: 9, y2: 9, stroke: "var(--line)", "stroke-width": 2 }),
    makeSvg("line", { x1: x(Math.min(chance, value)), x2: x(Math.max(chance, value)), y1: 9, y2: 9, stroke: colour, "stroke-width": 2, opacity: 0.45 }),
    makeSvg("line", { x1: x(low), x2: x(Math.max(high, low + 0.005)), y1: 9, y2: 9, stroke: colour, "stroke-width": 6 }),
    makeSvg("circle", { cx: x(value), cy: 9, r: 4.5, fill: colour }),
    makeSvg("line", { x1: x(chance), x2: x(chance), y1: 1, y2: 17, stroke: "var(--ink)", "stroke-width": 1.5 }));
}

function startTable() {
  const rows = data.table.shown;
  const best = new Set(data.table.best), near = new Set(data.table.near);
  const distinct = (key) => new Set(rows.map((row) => cell(key, row)));
  const varies = new Map(COLUMNS.map((column) => [column.key, column.value || distinct(column.key).size > 1 || (column.usual && [...distinct(column.key)].some((v) => !column.usual.includes(v)))]));
  const state = { sort: null, down: false, limit: PAGE, filters: {}, all: false, width: 0 }, box = byId("table").parentElement;

  const value = (column, row) => (column.order ?? column.value ?? ((r) => cell(column.key, r)))(row);
  const numeric = (column) => column.value || column.order === budgetOrder || typeof cell(column.key, rows.find((r) => cell(column.key, r) !== null) ?? rows[0]) === "number";
  const rightward = (column) => NUMBERS.has(column.key) || (column.key !== "budget" && Boolean(numeric(column)));
  const write = (column, row) => (column.write ?? ((v) => v || "–"))(column.value ? null : cell(column.key, row), row);
  const fixed = (column) => ["protocol", "goal"].includes(column.key) && (state.filters.group || data.table.groups.length < 2); // the menu or the text above says it already

  /** The columns of some rows, each with the heading that it has there. */
  function columns(kept, copied = false) {
    const of = (key) => new Set(kept.map((row) => cell(key, row))), goals = of("goal"), names = [...of("score_name")];
    const score = names.length < 2 ? names[0] ?? "Score" : [...new Set(names.map((text) => text.split("@")[0]))].join(" or ");
    const left = (column) => goals.size === 1 && goals.has(column.unless);
    const wanted = (column) => !left(column) && (copied || !fixed(column)) && (column.always || column.shown?.(goals) || (varies.get(column.key) && (!column.optional || (copied && column.copied))));
    return COLUMNS.filter((column) => state.all || wanted(column)).map((column) => ({ ...column, head: column.head.call ? column.head(score) : column.head }));
  }

  function chosen() {
    const kept = rows.filter((row) => Object.entries(state.filters).every(([key, wanted]) => wanted === "" || String(cell(key, row)) === wanted));
    if (state.sort === null) return kept;
    const column = COLUMNS.find((candidate) => candidate.key === state.sort), sign = state.down ? -1 : 1;
    const keys = new Map(kept.map((row) => [row, value(column, row)]));
    return kept.sort((a, b) => {
      const x = keys.get(a), y = keys.get(b);
      if (x === y) return a - b;
      if (x === null) return 1; // absent values last, either way
      if (y === null) return -1;
      return sign * (typeof x === "string" ? x.localeCompare(y) : x - y);
    });
  }

  function sortBy(key) {
    const downFirst = rightward(COLUMNS.find((column) => column.key === key));
    if (state.sort !== key) Object.assign(state, { sort: key, down: downFirst });
    else if (state.down === downFirst) state.down = !state.down;
    else state.sort = null;
    draw(key);
  }

  /** The keys of columns in the order in which they make room. */
  const leaving = (shown) => [...shown.map(({ key }) => key).filter((key) => ![...DROPPED, ...FOLDED, ...KEPT].includes(key)), ...DROPPED, ...FOLDED].filter((key) => shown.some((column) => column.key === key));

  function draw(focus) {
    const kept = chosen(), wanted = columns(kept), page = kept.slice(0, state.limit), order = state.all ? [] : leaving(wanted);
    let shown = wanted;
    put(shown, [], page);
    for (let over; order.length && (over = box.scrollWidth - box.clientWidth) > 0;) {
      while (order.length && over > 0) {
        const key = order.shift();
        over -= byId("table").querySelector(`thead .column-${key}`).offsetWidth;
        shown = shown.filter((column) => column.key !== key);
      }
      put(shown, wanted.filter((column) => !shown.includes(column)), page);
    }
    state.width = box.clientWidth;
    if (focus) byId("table").querySelector(`[data-key="${focus}"]`)?.focus();
    const left = wanted.length - shown.length;
    byId("table-count").textContent = `${page.length.toLocaleString("en-US")} of ${rows.length.toLocaleString("en-US")} rows${left ? `; no room for ${left} of the columns` : ""}`;
    byId("more-rows").hidden = page.length === kept.length;
    byId("more-rows").textContent = `Show all ${kept.length.toLocaleString("en-US")}`;
  }

  function put(shown, dropped, page) {
    const head = make("tr", {}, ...shown.map((column) => {
      const sorted = state.sort !== column.key ? "none" : state.down ? "descending" : "ascending";
      const button = make("button", { type: "button", title: column.help, onclick: () => sortBy(column.key), "data-key": column.key }, ...column.head.split(" ").flatMap((word, i) => [i ? " " : "", make("span", { class: "word" }, word)]));
      const heading = make("th", { scope: "col", "aria-sort": sorted, class: `column-${column.key}${rightward(column) && column.key !== "interval" ? " n" : ""}` }, button);
      if (column.key === "interval") heading.colSpan = 2;
      return heading;
    }));
    const folded = dropped.filter((column) => FOLDED.includes(column.key));
    byId("table").replaceChildren(make("table", {}, make("thead", {}, head), make("tbody", {}, ...page.map((row) => line(shown, folded, row)))));
  }

  function line(shown, folded, row) {
    const cells = shown.flatMap((column, place) => {
      const text = write(column, row);
      if (column.key === "interval") return [make("td", { class: "interval" }, intervalBar(row)), make("td", { class: "n dim" }, text)];
      const kind = [rightward(column) ? "n" : "", column.key === "score" ? "t" : ""].join(" ").trim();
      const words = ["attack", "code", "protocol"].includes(column.key) ? meaning(text) : "";
      const long = words ? `${text}: ${words}` : text.length > 30 ? text : null, content = [rightward(column) ? text : name(text)];
      if (column.key === "score" && near.has(row)) content.push(make("span", { class: "dim", title: "Not significantly weaker than the strongest" }, ` ${NEAR}`));
      const own = state.all || !cell("numbers", row) ? [] : [cell("numbers", row)];
      const under = own.concat(folded.filter(({ key }) => key !== "code" || !isCode(row)).map((other) => [other, write(other, row)]).filter(([, said]) => said !== "–").map(([other, said]) => (rightward(other) ? `${other.head.toLowerCase()} ${said}` : said)));
      if (place === 0 && under.length) content.push(make("span", { class: "under", "data-text": under.join(" · ") }));
      return [make(place === 0 ? "th" : "td", { class: [kind, `column-${column.key}`].join(" ").trim(), scope: place === 0 ? "row" : null, title: long }, ...content)];
    });
    return make("tr", { class: best.has(row) ? "best" : isCode(row) ? "yardstick" : null, id: `row-${row}` }, ...cells);
  }

  for (const [key, label] of [["group", data.table.groups.includes("untargeted") ? "Goal or protocol" : "Protocol"], ["budget", "Budget"], ["attack", "Attack"], ["code", "Code"], ["data", "Data"], ["model", "Model"], ["bits", "Bits"], ["seed", "Seed"]]) {
    const values = [...distinct(key)];
    if (values.length < 2) continue;
    if (key === "budget") values.sort((a, b) => budgetOrder(rows.find((r) => cell(key, r) === a)) - budgetOrder(rows.find((r) => cell(key, r) === b)));
    if (key === "group") state.filters[key] = data.table.groups[0];
    const options = [["", "all"], ...values.map((v) => [String(v), key === "model" ? short(v) : String(v || "–")])];
    byId("filters").append(menu(label, options, state.filters[key] ?? "", (wanted) => {
      state.filters[key] = wanted;
      state.limit = PAGE;
      draw();
    }));
  }
  byId("table-controls").hidden = false;
  byId("more-rows").onclick = () => { state.limit = Infinity; draw(); };
  byId("all-columns").onchange = (event) => { state.all = event.target.checked; draw(); };
  for (const button of document.querySelectorAll("[data-copy]")) {
    button.onclick = async () => {
      const kept = chosen(), shown = columns(kept, true); // a copy leaves the page, so it says its protocol itself
      const cells = kept.map((row) => ({ best: best.has(row), near: near.has(row), cells: shown.map((column) => write(column, row)) }));
      const done = await copy(WRITERS[button.dataset.copy](shown.map((column) => column.head), cells, shown.map(rightward), shown.findIndex((column) => column.key === "score")));
      byId("copy-status").textContent = done ? `Copied ${cells.length} rows as ${button.textContent}.` : "";
    };
  }
  draw();
  new ResizeObserver(() => { if (box.clientWidth && box.clientWidth !== state.width) draw(); }).observe(box);
}

const WRITERS = {
  markdown(heads, rows, right, score) {
    const safe = (text) => text.replace(/[\\|`*_<\[\]]/g, "\\$&");
    const lines = rows.map(({ best, near, cells }) => cells.map((text, i) => (best && i === score ? `**${safe(text)}**` : safe(text) + (near && i === score ? ` ${NEAR}` : ""))));
    return [heads.map(safe), right.map((r) => (r ? "---:" : "---")), ...lines].map((cells) => `| ${cells.join(" | ")} |`).join("\n") + "\n";
  },
  latex(heads, rows, right, score) {
    const special = { "\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}", "∞": "$_\\infty$", "–": "--", "…": "\\dots{}" };
    const safe = (text) => text.replace(/[\\~^∞–…]|[&%$#_{}]/g, (char) => special[char] ?? "\\" + char);
    const lines = rows.map(({ best, near, cells }) => cells.map((text, i) => (best && i === score ? `\\textbf{${safe(text)}}` : safe(text) + (near && i === score ? " $\\approx$" : ""))));
    const body = [heads.map(safe), ...lines].map((cells) => `  ${cells.join(" & ")} \\\\`);
    body.splice(1, 0, "  \\midrule");
    return `\\begin{tabular}{${right.map((r) => (r ? "r" : "l")).join("")}}\n  \\toprule\n${body.join("\n")}\n  \\bottomrule\n\\end{tabular}\n`;
  },
  csv(heads, rows) {
    const safe = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
    return [heads, ...rows.map((row) => row.cells)].map((cells) => cells.map(safe).join(",")).join("\r\n") + "\r\n";
  },
};
