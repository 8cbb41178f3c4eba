// Small things that the other files use. Names come from files: they are only ever set as text, never as markup.

const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);

/** Make an element. Attributes that start with "on" are listeners; children are elements or text. */
function make(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** Make an SVG element. */
function makeSvg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

/** A name from outside, kept apart so that right-to-left text does not turn its surroundings. */
const name = (text) => make("bdi", {}, text);

/** What a name means; empty where nobody has said it. */
const meaning = (term) => (Object.hasOwn(data.terms, term) ? data.terms[term] : "");

const percent = (fraction, digits = 1) => (fraction === null || fraction === undefined ? "–" : (100 * fraction).toFixed(digits));

/** A number in few characters: three significant digits, thousands apart. */
function brief(value) {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  if (size !== 0 && (size < 0.0001 || size >= 1e6)) return value.toExponential(1).replace("e+", "e");
  if (size >= 100) return Math.round(value).toLocaleString("en-US");
  return String(Number(value.toPrecision(3)));
}

function setOptions(select, options, chosen) {
  select.replaceChildren(...options.map(([value, text]) => make("option", { value, title: text.length > 60 ? text : null }, shorten(text, 80))));
  select.value = options.some(([value]) => String(value) === String(chosen)) ? chosen : options[0]?.[0] ?? "";
}

/** A menu with its label. */
function menu(label, options, chosen, onchange) {
  const select = make("select", { onchange: () => onchange(select.value) });
  setOptions(select, options, chosen);
  return make("label", {}, label + " ", select);
}

const shorten = (text, length) => (text.length > length ? text.slice(0, length - 1) + "…" : text);

/** Put text on the clipboard; where the browser refuses, show it for copying by hand. */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = byId("copy-dialog").querySelector("textarea");
    area.value = text;
    byId("copy-dialog").showModal();
    area.select();
    return false;
  }
}

function save(filename, type, text) {
  const link = make("a", { href: URL.createObjectURL(new Blob([text], { type })), download: filename });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
