// Starts the page: theme, table, gallery, charts, heat maps.

function startTheme() {
  const root = document.documentElement, button = byId("theme"), system = matchMedia("(prefers-color-scheme: dark)");
  const dark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const label = () => { button.textContent = dark() ? "Light" : "Dark"; button.setAttribute("aria-label", `Use ${dark() ? "light" : "dark"} colours`); };
  button.hidden = false;
  button.onclick = () => { root.dataset.theme = dark() ? "light" : "dark"; label(); };
  system.addEventListener("change", label);
  label();
}

const transferTitle = (table) => [table.attack, table.protocol].filter(Boolean).join(", ");

function startTransfer() {
  for (const table of data.transfer) {
    const body = table.cells.map((row, down) => make("tr", {}, make("th", { scope: "row" }, name(table.from[down])), ...row.map((value) => heat(value, table.untargeted))));
    const head = make("tr", {}, make("td", {}, "made on ↓, evaluated on →"), ...table.to.map((model) => make("th", { scope: "col" }, name(model))));
    byId("transfer-tables").append(...(transferTitle(table) ? [make("h3", {}, name(transferTitle(table)))] : []),
      make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": `Transfer, ${transferTitle(table)}` }, make("table", { class: "heat" }, make("thead", {}, head), make("tbody", {}, ...body))));
  }
}

/** A cell coloured by how far the score lies above chance, on the way to a perfect one; of an untargeted attack, by how little. */
function heat(cellValue, untargeted) {
  if (!cellValue) return make("td", {}, "–");
  const [value, chance] = cellValue, above = Math.max(0, (value - chance) / Math.max(1 - chance, 1e-9)), strength = untargeted ? 1 - above : above;
  const element = make("td", {}, percent(value), make("small", {}, `chance ${percent(chance)}`));
  element.style.background = `color-mix(in oklab, #c2500f ${Math.round(75 * strength)}%, #fdf3ec)`; // dark text stays readable on all of it
  element.style.color = "#16181d";
  return element;
}

function startCommand() {
  const button = byId("copy-command");
  if (!button) return;
  button.hidden = false;
  button.onclick = async () => { if (await copy(byId("command").textContent)) button.textContent = "Copied"; };
}

if (matchMedia("(max-width: 600px)").matches && byId("terms")) byId("terms").open = false; // it would fill the screen

startTheme();
startTable();
startGallery();
startCurves();
startTransfer();
startCommand();
