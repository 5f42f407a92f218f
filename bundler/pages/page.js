"use strict";
// All that is shown stands in the page; this only sorts it, searches it, and tells of one package at a time.
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const all = (what, within = document) => [...within.querySelectorAll(what)];
  const one = (what, within = document) => within.querySelector(what);
  const make = (name, text = "", kind = "") => {
    const made = document.createElement(name);
    made.textContent = text;
    if (kind) made.className = kind;
    return made;
  };

  // Tables are sorted by the column whose heading is chosen.
  const valued = (row, column, number) => {
    const text = row.cells[column].textContent.trim();
    return number ? Number.parseFloat(text.replace(/^\+/, "")) || 0 : text.toLowerCase();
  };
  const sort = (table, heading) => {
    const number = heading.classList.contains("number");
    const was = heading.getAttribute("aria-sort");
    const down = was ? was === "ascending" : number;
    all("[aria-sort]", table).forEach((other) => other.removeAttribute("aria-sort"));
    heading.setAttribute("aria-sort", down ? "descending" : "ascending");
    const rows = [...table.tBodies[0].rows].map((row) => [valued(row, heading.cellIndex, number), row]);
    rows.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0) * (down ? -1 : 1));
    table.tBodies[0].append(...rows.map(([, row]) => row));
  };
  for (const heading of all("thead th")) {
    const text = heading.textContent;
    if (!text) continue;
    const button = make("button", text);
    button.type = "button";
    button.addEventListener("click", () => sort(heading.closest("table"), heading));
    heading.replaceChildren(button);
  }

  // What does not hold the words is left out of the table, and faded on the map.
  const field = one("#search");
  if (field) {
    const rows = all(".searched tbody tr");
    const texts = rows.map((row) => all("th, td:not(:has(.chain))", row).map((cell) => cell.textContent).join(" ").toLowerCase());
    const search = () => {
      const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
      rows.forEach((row, at) => { row.hidden = !words.every((word) => texts[at].includes(word)); });
      const left = rows.filter((row) => !row.hidden);
      one("#found").textContent = words.length ? `${left.length} of ${rows.length}` : "";
      const kept = new Set(left.map((row) => `#${row.id}`));
      fade((tile) => words.length && !kept.has(tile.getAttribute("href")));
    };
    field.addEventListener("input", search);
    one(".search").hidden = false;
  }
  function fade(faded) {
    for (const tile of all(".tile")) tile.classList.toggle("faded", Boolean(tile.hash.startsWith("#p") && faded(tile)));
  }

  // One package: the ways that lead to it, and what it needs.
  const row = (number) => document.getElementById(`p${number}`);
  const by = (number) => row(number).dataset.by?.split(" ").filter(Boolean) ?? [];
  const steps = (number) => Number(row(number).dataset.steps ?? Number.NaN);
  const named = (number) => one(".name", row(number)).textContent;
  const MOST = 3;

  const layers = (number) => {
    const found = [[number]];
    const lines = [];
    while (steps(found[0][0]) > 0) {
      const above = new Map();
      for (const below of found[0]) {
        for (const other of by(below).filter((other) => steps(other) === steps(below) - 1)) {
          if (!above.has(other) && above.size === MOST) continue;
          above.set(other, true);
          lines.push([other, below]);
        }
      }
      found.unshift([...above.keys()]);
    }
    return [found, lines];
  };
  const drawn = (name, attributes, ...children) => {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  };
  const ways = (number) => {
    const [found, lines] = layers(number);
    const wide = 360, high = 26, step = 56;
    const tall = step * (found.length - 1) + high + 2;
    const picture = drawn("svg", { class: "ways", viewBox: `0 0 ${wide} ${tall}`, role: "group", "aria-label": "The shortest ways to it" });
    const at = new Map();
    found.forEach((layer, depth) => layer.forEach((other, place) => {
      at.set(other, [(wide * (place + 0.5)) / layer.length, depth * step + 1, Math.min(170, wide / layer.length - 8)]);
    }));
    for (const [above, below] of lines) {
      const [x, y] = at.get(above), [u, v] = at.get(below);
      picture.append(drawn("path", { d: `M${x} ${y + high}C${x} ${y + step - 8} ${u} ${v - step / 2 + 4} ${u} ${v}` }));
    }
    for (const [other, [x, y, width]] of at) {
      const fits = Math.floor(width / 6.6), name = named(other);
      const text = drawn("text", { x, y: y + 17 }, name.length > fits ? `${name.slice(0, fits - 1)}…` : name);
      const box = drawn("rect", { x: x - width / 2, y, width, height: high, rx: 5 });
      picture.append(drawn("a", { href: `#p${other}`, class: other === number ? "own" : "", "aria-label": name }, box, text));
    }
    return picture;
  };

  const panel = make("aside");
  panel.id = "panel";
  panel.hidden = true;
  panel.setAttribute("aria-label", "One package");
  const close = make("button", "×", "close");
  close.type = "button";
  close.setAttribute("aria-label", "Close");
  const shown = make("div");
  shown.setAttribute("aria-live", "polite");
  panel.append(close, shown);
  document.body.append(panel);
  let from = null;

  const tell = (number) => {
    const own = row(number);
    const cell = (label) => one(`[data-label="${label}"]`, own)?.textContent ?? "";
    const title = make("h3");
    title.append(...[...own.cells[0].childNodes].map((node) => node.cloneNode(true)));
    const size = cell("MB") && `${cell("MB")} MB`;
    const brings = cell("Brings MB") && `brings ${cell("Brings MB")} MB`;
    const parts = [title, make("p", [size, brings, cell("Licence")].filter(Boolean).join(" · "), "faint")];
    const chain = one(".chain", own).cloneNode(true);
    const way = make("p", "", "chain");
    way.append(...chain.childNodes, ...(steps(number) > 0 ? [" › ", make("b", named(number))] : []));
    parts.push(way);
    if (steps(number) > 0) parts.push(ways(number));
    parts.push(...all(".by, .needs", own).map((list) => list.cloneNode(true)));
    const back = make("a", "Show it in the table");
    back.href = `#p${number}`;
    back.dataset.jump = "";
    parts.push(back);
    shown.replaceChildren(...parts);
    panel.hidden = false;
    panel.scrollTop = 0;
    const [found] = layers(number);
    const kept = new Set(found.flat().map((other) => `#p${other}`));
    fade((tile) => !kept.has(tile.hash));
    for (const tile of all(".tile")) tile.classList.toggle("chosen", tile.hash === `#p${number}`);
    clear(one(".tile.chosen"));
  };
  // What was chosen is not covered, where the other side is free.
  const clear = (tile) => {
    panel.classList.remove("left");
    const [own, other] = [panel, tile ?? panel].map((shown) => shown.getBoundingClientRect());
    const covered = own.left < other.right && own.top < other.bottom && other.top < innerHeight;
    panel.classList.toggle("left", Boolean(tile) && covered && other.left > own.width + 40);
  };
  const hide = () => {
    panel.hidden = true;
    fade(() => false);
    all(".tile.chosen").forEach((tile) => tile.classList.remove("chosen"));
    if (field?.value) field.dispatchEvent(new Event("input"));
    from?.focus();
    from = null;
  };
  close.addEventListener("click", hide);
  document.addEventListener("keydown", (event) => { if (event.key === "Escape" && !panel.hidden) hide(); });

  const told = (hash) => (/^#p\d+$/.test(hash) && one(`#packages ${hash}`) ? hash.slice(2) : "");
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[href^='#']");
    const hash = link?.getAttribute("href") ?? "";
    if (hash.startsWith("#map-")) one(hash).open = true;
    const number = told(hash);
    if (!number || link.dataset.jump !== undefined) return;
    event.preventDefault();
    if (!panel.contains(link)) from = link;
    history.pushState(null, "", hash);
    tell(number);
  });
  addEventListener("popstate", () => (told(location.hash) ? tell(told(location.hash)) : hide()));
  if (told(location.hash)) tell(told(location.hash));
})();
