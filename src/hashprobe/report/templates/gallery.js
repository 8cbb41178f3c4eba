// The gallery: one query under one attack at a time, what it returned before and after, and shelves of the extremes.

const SHELF = matchMedia("(max-width: 600px)").matches ? 4 : 8;

function startGallery() {
  const gallery = data.gallery;
  if (!gallery || !gallery.entries.length) return;
  const { entries, items } = gallery;
  const picture = (place) => gallery.pictures[place];
  const attackOf = (entry) => gallery.names[entry.row];
  const targetOf = (entry) => `${cell("group", entry.row)} ${cell("seed", entry.row)} ${entry.target.join(", ")}`;
  const aim = (entry) => (entry.untargeted ? "no target" : entry.target.join(", "));
  const gain = (entry) => ((entry.scores[1] ?? 0) - (entry.scores[0] ?? 0)) * (entry.untargeted ? -1 : 1);
  /** How many of the returned pictures count: those with the target label, or of an untargeted attack those still relevant. */
  const hits = (entry, list) => list.filter(([, , hit, relevant]) => (entry.untargeted ? relevant : hit)).length;
  const failed = (entry) => gain(entry) <= 0 || hits(entry, entry.after) === (entry.untargeted ? entry.after.length : 0);
  const several = (entry) => entry.target.length > 1;
  /** How many of the target labels a returned picture carries; one is enough to count. */
  const carried = (entry, item) => entry.target.filter((label) => items[item].labels.includes(label)).length;
  const counted = (entry, list, when) => (entry.untargeted ? `${when === "after" ? "still " : ""}share a label with the query`
    : several(entry) ? `carry at least one of the ${entry.target.length} target labels, ${list.filter(([item]) => carried(entry, item) === entry.target.length).length} carry all` : "carry the target label");
  const queries = [...new Map(entries.map((entry) => [entry.query, entry])).values()];
  let current = null, flipped = false;

  /** Choose an entry of the query that is as like the wanted one as there is. */
  function choose(query, like, target) {
    const own = entries.filter((entry) => entry.query === query);
    const score = (entry) => (target !== undefined && targetOf(entry) === target ? 8 : 0) + (cell("group", entry.row) === cell("group", like.row) ? 4 : 0) + (attackOf(entry) === attackOf(like) ? 2 : 0);
    show(own.reduce((best, entry) => (score(entry) > score(best) ? entry : best)));
  }

  function show(entry) {
    current = entry;
    flip(false);
    setOptions(byId("pick-query"), queries.map((q) => [q.query, `${q.labels.join(", ") || "no label"} (${q.name.split("/").at(-1) || q.query})`]), entry.query);
    const own = entries.filter((other) => other.query === entry.query), grouped = data.table.groups.length > 1;
    const targets = [...new Map(own.map((other) => [targetOf(other), other]))];
    setOptions(byId("pick-target"), targets.map(([key, other]) => [key, aim(other) + (grouped ? ` (${cell("group", other.row)})` : "")]), targetOf(entry));
    const attacks = own.filter((other) => targetOf(other) === targetOf(entry));
    setOptions(byId("pick-attack"), attacks.map((other) => [entries.indexOf(other), attackOf(other)]), entries.indexOf(entry));
    drawPictures(entry);
    for (const [id, list] of [["before", entry.before], ["after", entry.after]]) {
      byId(id).replaceChildren(...list.map((returned, place) => tile(entry, returned, place)));
      byId(`${id}-count`).textContent = `${hits(entry, list)} of ${list.length} ${counted(entry, list, id)}`;
    }
    byId("key-target").hidden = entry.untargeted;
    byId("key-text").textContent = several(entry) ? "carries a target label, which counts; dashed: not all of them" : "carries the target label";
    drawShelves(entry);
    byId("viewer-status").textContent = `${entry.labels.join(", ")} attacked ${entry.untargeted ? "without a target" : `towards ${aim(entry)}`} by ${attackOf(entry)}: ${hits(entry, entry.after)} of ${entry.after.length} returned ${counted(entry, entry.after, "after")}, ${hits(entry, entry.before)} before.`;
  }

  function drawPictures(entry) {
    const query = byId("query-picture"), adversarial = byId("adversarial-picture");
    query.src = picture(entry.picture);
    adversarial.src = picture(entry.adversarial);
    query.alt = `Query: a picture labelled ${entry.labels.join(", ") || "nothing"}`;
    adversarial.alt = `The same picture after ${attackOf(entry)}, ${entry.untargeted ? "untargeted" : `aimed at ${aim(entry)}`}`;
    byId("query-caption").replaceChildren(name(entry.labels.join(", ") || "no label"));
    byId("adversarial-caption").replaceChildren(name(attackOf(entry)));
    Promise.all([query.decode(), adversarial.decode()]).then(() => {
      if (current !== entry) return;
      const { naturalWidth: width, naturalHeight: height } = query;
      byId("viewer").style.setProperty("--twice", `${2 * width}px`); // larger than that, single pixels become blocks or blur
      byId("query-caption").append(`; ${width} × ${height} pixels`);
      difference(entry, query, adversarial);
    }).catch(() => {});
    const fact = (term, kind, ...value) => make("div", { class: kind }, make("dt", {}, term), make("dd", { class: kind ? null : "figure" }, ...value));
    const explained = (term) => [name(term), ...(meaning(term) ? [make("small", {}, `: ${meaning(term)}`)] : [])];
    const [before, after] = entry.scores, label = entry.untargeted ? "query's own labels" : "target label";
    byId("facts").replaceChildren(
      entry.untargeted ? fact("Goal", "target", "away from ", name(entry.labels.join(", ") || "its own labels")) : fact(several(entry) ? "Target labels, any of which counts" : "Target label", "target", name(aim(entry))),
      fact(entry.untargeted ? `Relevant among the first ${entry.after.length}` : several(entry) ? "At least one of them among the first ten" : "Target label among the first ten", "", `${hits(entry, entry.before)} before, ${hits(entry, entry.after)} after`),
      fact(`Average precision for the ${label}, %`, "", `${percent(before)} before, ${percent(after)} after`),
      fact("Attack", "", ...explained(cell("attack", entry.row))),
      ...(entry.untargeted ? [] : [fact("Target label protocol", "", ...explained(cell("protocol", entry.row)))]),
      ...(entry.code ? [fact("Hash code of the adversarial picture", "hex", make("details", {}, make("summary", {}, "show"), entry.code))] : []));
  }

  /** Draw grey plus the change times a factor, from the pixels of the two pictures; say the factor and the change. */
  function difference(entry, query, adversarial) {
    const width = query.naturalWidth, height = query.naturalHeight, canvas = byId("difference");
    const pixels = (image) => {
      const context = Object.assign(document.createElement("canvas"), { width, height }).getContext("2d", { willReadFrequently: true });
      context.drawImage(image, 0, 0);
      return context.getImageData(0, 0, width, height).data;
    };
    const from = pixels(query), to = pixels(adversarial);
    let largest = 0, squares = 0;
    for (let i = 0; i < from.length; i++) {
      if (i % 4 === 3) continue;
      largest = Math.max(largest, Math.abs(to[i] - from[i]));
      squares += (to[i] - from[i]) ** 2;
    }
    const chosen = byId("factor").value, factor = chosen === "auto" ? Math.max(1, Math.min(127, Math.floor(127 / Math.max(largest, 1)))) : Number(chosen);
    Object.assign(canvas, { width, height });
    const drawn = new ImageData(width, height);
    for (let i = 0; i < from.length; i++) drawn.data[i] = i % 4 === 3 ? 255 : 128 + factor * (to[i] - from[i]);
    canvas.getContext("2d").putImageData(drawn, 0, 0);
    const rms = Math.sqrt(squares / (0.75 * from.length));
    const said = `× ${factor}; largest change ${largest} of 255, RMS ${rms.toFixed(1)}`;
    byId("difference-caption").textContent = said;
    canvas.setAttribute("aria-label", `Difference between the adversarial picture and the query, amplified ${said}`);
  }

  function tile(entry, [item, distance, hit, relevant], place) {
    const { name: title, picture: shown, labels } = items[item], words = labels.join(", ") || "no label";
    const share = several(entry) ? `${carried(entry, item)} of ${entry.target.length} target labels` : "", partial = hit && several(entry) && carried(entry, item) < entry.target.length;
    const alt = `${place + 1}: ${words}; distance ${distance}${hit ? `; carries ${share || "the target label"}` : ""}${relevant ? "; shares a label with the query" : ""}`;
    const image = make("img", { src: picture(shown), alt, title });
    const tags = make("span", { class: "tags", "aria-hidden": "true" }, `d ${distance}`, ...(hit ? [make("span", { class: "tag-hit" }, share ? `✓ ${share.replace(" target labels", "")}` : "✓ target")] : []), ...(relevant ? [make("span", { class: "tag-relevant" }, "● query")] : []));
    return make("li", { class: partial ? "hit partial" : hit ? "hit" : null }, make("div", { class: "tile" }, image), make("span", { class: "mark", title: words }, tags, name(words)));
  }

  function drawShelves(entry) {
    const own = entries.filter((other) => other.row === entry.row), byGain = [...own].sort((a, b) => gain(b) - gain(a));
    const lost = byGain.filter(failed).reverse(), first = `the first ${entry.after.length} returned`;
    const label = `${attackOf(entry)}, ${cell("group", entry.row)}`;
    const many = Math.min(SHELF, Math.ceil(own.length / 2)), worst = byGain.slice(-many).reverse();
    const say = entry.untargeted
      ? { best: "the largest fall in average precision for the query's own labels", worst: "the smallest fall, or a rise", failed: `Average precision did not fall, or all of ${first} still share a label with the query.`, none: `Average precision fell for all of them, and a picture without a label of the query was among ${first}.` }
      : { best: "the largest rise in average precision for the target label", worst: "the smallest rise, or a fall", failed: `Average precision did not rise, or none of ${first} carries the target label.`, none: `Average precision rose for all of them, and a picture with the target label was among ${first}.` };
    byId("shelves").replaceChildren(make("h3", {}, "Best, worst and failed for ", name(label)),
      shelf("best", `Best: ${say.best}.`, byGain.slice(0, many)),
      shelf("worst", `Worst: ${say.worst}.`, worst),
      shelf("failed", lost.length ? `Failed: ${lost.length} of ${own.length} queries. ${say.failed}${lost.length > 3 * SHELF ? ` The ${3 * SHELF} worst are shown.` : ""}` : `Failed: none of ${own.length} queries. ${say.none}`, lost.slice(0, 3 * SHELF)));
  }

  function shelf(kind, text, chosen) {
    return make("div", { class: "shelf", "data-shelf": kind }, make("p", {}, text), make("ol", {}, ...chosen.map((entry) => {
      const top = items[entry.after[0]?.[0]]?.picture ?? entry.adversarial;
      const images = [entry.adversarial, top].map((place) => make("img", { src: picture(place), alt: "" }));
      const words = `${entry.labels.join(", ") || "no label"}${entry.untargeted ? "" : ` → ${aim(entry)}`}`;
      return make("li", {}, make("button", { type: "button", "aria-current": entry === current ? "true" : null, title: words, onclick: () => {
        show(entry);
        byId("viewer").scrollIntoView({ block: "start" });
        byId("pick-query").focus({ preventScroll: true });
      } }, ...images, make("span", {}, name(words)), make("span", {}, make("b", {}, `${percent(entry.scores[0], 0)} → ${percent(entry.scores[1], 0)}`))));
    })));
  }

  function flip(on) {
    if (on === flipped) return;
    flipped = on;
    const image = byId("adversarial-picture");
    image.src = picture(on ? current.picture : current.adversarial);
    image.classList.toggle("flipped", on);
    byId("flip").setAttribute("aria-pressed", String(on));
    byId("adversarial-title").textContent = on ? "Query" : "Adversarial";
  }

  function step(by) {
    const place = queries.findIndex((q) => q.query === current.query);
    choose(queries[(place + by + queries.length) % queries.length].query, current);
  }

  const button = byId("flip");
  button.addEventListener("pointerdown", (event) => { button.setPointerCapture(event.pointerId); flip(true); });
  for (const end of ["pointerup", "pointercancel", "lostpointercapture", "blur"]) button.addEventListener(end, () => flip(false));
  byId("adversarial-picture").draggable = false;
  byId("adversarial-picture").addEventListener("pointerdown", (event) => event.pointerType === "mouse" && flip(true));
  document.addEventListener("pointerup", () => flip(false));
  button.addEventListener("contextmenu", (event) => event.preventDefault());
  button.addEventListener("keydown", (event) => { if (event.key === " " || event.key === "Enter") { event.preventDefault(); flip(true); } });
  button.addEventListener("keyup", () => flip(false));
  byId("pick-query").onchange = (event) => choose(Number(event.target.value), current);
  byId("pick-target").onchange = (event) => choose(current.query, current, event.target.value);
  byId("pick-attack").onchange = (event) => show(entries[Number(event.target.value)]);
  byId("factor").onchange = () => difference(current, byId("query-picture"), byId("adversarial-picture"));
  byId("previous").onclick = () => step(-1);
  byId("next").onclick = () => step(1);
  byId("viewer").hidden = false;
  show(entries[gallery.open]);
}
