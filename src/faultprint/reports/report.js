"use strict";
// Everything that comes from data reaches the page as text (textContent) or as a number: never as markup.
const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function make(tag, attributes = {}, ...children) {
  const svg = ["svg", "g", "rect", "line", "text", "title", "pattern", "defs"].includes(tag);
  const node = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children.map((child) => (child instanceof Node ? child : String(child))));
  return node;
}

// Colours come from the palette (palette.py). A fault also has a number, so that colour is never the only mark.
const COLOURS = 16;
const faults = data.conditions.filter((name) => !["normal", "recovery", "maintenance", "unknown", "no-traffic", "warming-up"].includes(name));
const keyOf = (name) => (faults.includes(name) ? String(faults.indexOf(name) + 1) : name === "unknown" ? "?" : name === "no-traffic" ? "0" : "");
function colour(name) {
  if (name === "normal") return css("--normal");
  if (["unknown", "no-traffic", "recovery", "maintenance"].includes(name)) return css("--unknown");
  return css(faults.includes(name) ? property(name) : "--waiting");
}
const property = (name) => `--fault-${faults.indexOf(name) % COLOURS + 1}`;
const ink = (name) => (faults.includes(name) ? css(`${property(name)}-ink`) : css("--ink"));

const number = (value, digits = 2) => (value === null || value === undefined ? "–" : value.toFixed(digits));
const minutes = (value) => (value === null || value === undefined ? "–" : `${number(value, value < 10 ? 1 : 0)} min`);
const share = (value) => (value === null || value === undefined ? "–" : `${Math.round(100 * value)} %`);
const when = (ms) => new Date(ms).toISOString().slice(0, 16).replace("T", " ");
const clock = (ms) => new Date(ms).toISOString().slice(11, 16);

function heading() {
  document.title = `Faultprint report: ${data.title}`;
  byId("title").textContent = data.title;
  byId("lead").textContent = data.lead;
  for (const [name, value] of data.facts) byId("facts").append(make("li", {}, `${name} `, make("b", {}, value)));
}

function cards() {
  const best = data.systems[0].figures;
  const found = best.outcomes.filter((row) => row.found).length;
  const rows = [
    ["Fault episodes detected", found, ` of ${best.episodes}`, `by ${data.systems[0].name}: correct name at least once during the fault`],
    ["False alarms", number(best.false_alarms_per_day, 1), " per day", `${best.false_alarms} in ${number(best.normal_days, 1)} days of normal traffic`],
    ["Time to the correct name", number(best.delay_median_minutes, 1), " min", `median; 90 % within ${minutes(best.delay_p90_minutes)}`],
    ["Macro-F1, clear windows", number(best.macro_f1_exposed), "", `${number(best.macro_f1)} with the first minutes of faults`],
  ];
  for (const [label, value, unit, word] of rows)
    byId("cards").append(make("div", { class: "card" }, make("p", { class: "label" }, label),
      make("p", { class: "value" }, value, make("small", {}, unit)), make("p", { class: "word" }, word)));
}

const FIGURES = [
  ["macro_f1_exposed", "Macro-F1, clear windows", number, 1],
  ["macro_f1", "Macro-F1, all windows", number, 1],
  ["false_alarms_per_day", "False alarms per day", (value) => number(value, 1), -1],
  ["episodes_found", "Episodes detected", share, 1],
  ["delay_median_minutes", "Delay, median", minutes, -1],
  ["delay_p90_minutes", "Delay, 90th percentile", minutes, -1],
  ["clearing_median_minutes", "Time to clear, median", minutes, -1],
];

function comparison() {
  const head = make("tr", {}, make("th", {}, ""), ...data.systems.map((system, index) =>
    make("th", { class: index ? "number" : "number ours" }, system.name)), make("th", { class: "note" }, "Meaning"));
  const body = make("tbody");
  // Alarms and delays are compared only among systems that detect faults: a silent system has no false alarms.
  const found = data.systems.map((system) => system.figures.episodes_found || 0);
  const able = found.map((value) => value >= Math.max(...found) / 2);
  for (const [key, label, show, sense] of FIGURES) {
    const values = data.systems.map((system) => system.figures[key]);
    const known = values.filter((value, index) => value !== null && (sense > 0 || able[index]));
    const top = known.length > 1 ? (sense > 0 ? Math.max(...known) : Math.min(...known)) : NaN;
    body.append(make("tr", {}, make("th", {}, label), ...values.map((value, index) =>
      make("td", { class: value === top && (sense > 0 || able[index]) ? "number best" : "number" }, show(value))),
    make("td", { class: "note" }, data.words[key] || "")));
  }
  byId("figures").append(make("thead", {}, head), body);
  for (const [key, label] of FIGURES)
    if (data.meanings[key]) byId("meanings").append(make("dt", {}, label), make("dd", {}, data.meanings[key]));
}

function legend() {
  const seen = ["normal", ...faults, ...["unknown", "no-traffic", "warming-up"].filter((name) => data.conditions.includes(name))];
  for (const name of seen) {
    const key = make("b", { class: "key" }, keyOf(name) || "\u00a0");
    key.style.background = colour(name);
    key.style.color = ink(name);
    byId("legend").append(make("span", {}, key, name));
  }
  const key = make("b", { class: "key" }, "\u00a0");
  key.style.background = "none"; key.style.outline = `1px solid ${css("--line")}`;
  byId("legend").append(make("span", {}, key, "not scored"));
}

const tip = byId("tip");
function hover(node, text) {
  node.addEventListener("pointermove", (event) => {
    tip.textContent = text; tip.hidden = false;
    tip.style.left = `${Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8)}px`;
    tip.style.top = `${Math.min(event.clientY + 14, innerHeight - tip.offsetHeight - 8)}px`;
  });
  node.addEventListener("pointerleave", () => { tip.hidden = true; });
}

// One picture for each node and day: a lane for the truth and one for each system; x is the time of day.
const WIDTH = 1120, LEFT = 118, LANE = 26, GAP = 5, TOP = 18;
function lanes(holder, track) {
  const span = Math.min(track.day_ms, track.end - track.start);
  for (let from = track.start; from < track.end; from += track.day_ms) {
    const to = Math.min(from + span, track.end);
    const x = (ms) => LEFT + ((ms - from) / span) * (WIDTH - LEFT - 2);
    const height = TOP + track.lanes.length * (LANE + GAP) + 4;
    const svg = make("svg", { viewBox: `0 0 ${WIDTH} ${height}`, role: "img", "aria-label": `Verdicts of ${track.node} from ${when(from)}` });
    const step = span > 12 * 3600e3 ? 3 * 3600e3 : 3600e3;
    for (let tick = Math.ceil(from / step) * step; tick < to; tick += step) {
      svg.append(make("line", { class: "grid", x1: x(tick), x2: x(tick), y1: TOP - 3, y2: height - 4 }));
      if (x(tick) < WIDTH - 36) svg.append(make("text", { x: x(tick) + 3, y: 11 }, clock(tick)));
    }
    track.lanes.forEach((lane, index) => {
      const y = TOP + index * (LANE + GAP);
      svg.append(make("text", { x: 0, y: y + LANE / 2 + 4 }, lane.name));
      for (const [start, end, name] of lane.runs) {
        const a = Math.max(start, from), b = Math.min(end, to);
        if (a >= b || name === null) continue;
        const width = Math.max(x(b) - x(a), 0.8);
        const rect = make("rect", { class: "run", x: x(a), y, width, height: LANE, rx: 2, fill: colour(name) });
        hover(rect, `${lane.name}: ${name}\n${when(start)} to ${clock(end)} (${Math.round((end - start) / 60e3)} min)`);
        svg.append(rect);
        if (keyOf(name) && width > 12)
          svg.append(make("text", { class: "in", fill: ink(name), x: x(a) + width / 2, y: y + LANE / 2 + 4, "text-anchor": "middle" }, keyOf(name)));
      }
      for (const [start, end] of lane.shadow || []) {
        const a = Math.max(start, from), b = Math.min(end, to);
        if (a < b) svg.append(make("rect", { x: x(a), y: y + LANE - 5, width: x(b) - x(a), height: 5, fill: css("--card"), opacity: 0.6,
          "pointer-events": "none" }));
      }
    });
    holder.append(make("div", { class: "lane-card" }, make("h3", {}, `${track.node}, ${when(from).slice(0, 10)}`),
      make("div", { class: "lane-scroll" }, svg)));
  }
}

function cloud() {
  if (!data.cloud || !window.Plotly) { byId("vectors").hidden = true; return; }
  byId("cloud-text").textContent = data.cloud.text;
  const traces = data.cloud.groups.map((group) => ({
    type: "scatter3d", mode: "markers", name: group.condition, x: group.x, y: group.y, z: group.z, text: group.text,
    hovertemplate: "%{text}<extra></extra>",
    marker: { size: group.condition === "normal" ? 2.2 : 3.2, color: colour(group.condition), opacity: group.condition === "normal" ? 0.5 : 0.85 },
  }));
  const references = data.cloud.references;
  traces.push({
    type: "scatter3d", mode: "markers+text", name: "references", x: references.x, y: references.y, z: references.z, hovertext: references.text,
    text: references.condition.map((name) => keyOf(name) || "normal"), textposition: "top center", textfont: { color: css("--ink"), size: 12 },
    hovertemplate: "%{hovertext}<extra></extra>",
    marker: { symbol: "diamond", size: 7, color: references.condition.map(colour), line: { color: css("--ink"), width: 1.5 } },
  });
  const axis = { title: { text: "" }, showticklabels: false, gridcolor: css("--line"), zerolinecolor: css("--line"), showbackground: false, showspikes: false };
  Plotly.newPlot("cloud", traces, {
    paper_bgcolor: css("--card"), font: { color: css("--soft"), size: 12 }, margin: { l: 0, r: 0, t: 0, b: 0 },
    legend: { itemsizing: "constant", bgcolor: "rgba(0,0,0,0)", x: 0.01, y: 0.99 }, showlegend: innerWidth > 760,
    scene: { xaxis: axis, yaxis: axis, zaxis: axis, aspectmode: "data", camera: { eye: { x: 1.1, y: 1.1, z: 0.8 } } },
  }, { responsive: true, displaylogo: false, displayModeBar: false });
}

function confusion(index) {
  const system = data.systems[index], table = byId("confusion");
  for (const button of byId("confusion-tabs").children) button.setAttribute("aria-pressed", String(Number(button.dataset.index) === index));
  const rows = Object.keys(system.confusion);
  const columns = [...data.conditions.filter((name) => rows.some((row) => system.confusion[row][name]))];
  table.replaceChildren(make("thead", {}, make("tr", {}, make("th", {}, "truth ↓   verdict →"), ...columns.map((name) =>
    make("th", { class: "turned" }, make("span", {}, name))))));
  const body = make("tbody");
  for (const row of data.conditions.filter((name) => rows.includes(name))) {
    const total = Object.values(system.confusion[row]).reduce((sum, value) => sum + value, 0);
    body.append(make("tr", {}, make("th", {}, row), ...columns.map((name) => {
      const value = system.confusion[row][name] || 0;
      const cell = make("td", { title: `${row}, verdict ${name}: ${value} of ${total} windows` }, value || "·");
      const tone = name === row ? css("--shade") : "214, 69, 65";
      if (value) cell.style.background = `rgba(${tone}, ${(0.08 + 0.6 * (value / total)).toFixed(3)})`;
      return cell;
    })));
  }
  table.append(body);
}

function named(name) {
  const dot = make("i", { class: "dot" });
  dot.style.background = colour(name);
  return make("span", {}, dot, name);
}

function conditions() {
  byId("conditions").append(make("thead", {}, make("tr", {}, make("th", {}, "Condition"), make("th", { class: "number" }, "Windows"),
    make("th", { class: "number" }, "Precision"), make("th", { class: "number" }, "Recall"),
    ...data.systems.map((system) => make("th", { class: "number" }, `F1, ${system.name}`)),
    make("th", { class: "number" }, "Episodes detected"), make("th", { class: "number" }, "Delay"))));
  const body = make("tbody"), first = data.systems[0];
  for (const row of first.conditions) {
    const others = data.systems.map((system) => system.conditions.find((other) => other.condition === row.condition));
    body.append(make("tr", {}, make("th", {}, named(row.condition)), make("td", { class: "number" }, row.windows),
      make("td", { class: "number" }, number(row.precision)), make("td", { class: "number" }, number(row.recall)),
      ...others.map((other) => make("td", { class: "number" }, number(other && other.f1))),
      make("td", { class: "number" }, row.condition === "normal" ? "–" : `${row.found} of ${row.episodes}`),
      make("td", { class: "number" }, minutes(row.delay_median_minutes))));
  }
  byId("conditions").append(body);
}

function episodes() {
  const others = data.systems.slice(1);
  byId("outcomes").append(make("thead", {}, make("tr", {}, make("th", {}, "Fault"), make("th", {}, "Onset, UTC"), make("th", { class: "number" }, "Duration"),
    make("th", { class: "number" }, "Severity"), make("th", {}, data.systems[0].name), make("th", { class: "number" }, "Delay"),
    ...others.map((system) => make("th", {}, system.name)))));
  const first = data.systems[0].figures.outcomes;
  const verdict = (row) => (row ? make("span", { class: row.found ? "yes" : "no" }, row.found ? "✓ correct" : row.said ? `✗ ${row.said}` : "✗ missed") : "–");
  first.forEach((row, index) => {
    if (!index || first[index - 1].node !== row.node)
      byId("outcomes").append(make("tbody", {}, make("tr", { class: "node" }, make("th", { colspan: 6 + others.length }, row.node))));
    const body = make("tbody", { class: "episode" });
    body.append(make("tr", {}, make("th", {}, named(row.condition)), make("td", { class: "nowrap" }, when(row.start).slice(5)),
      make("td", { class: "number" }, minutes((row.end - row.start) / 60e3)), make("td", { class: "number" }, number(row.severity)),
      make("td", {}, verdict(row)), make("td", { class: "number" }, minutes(row.delay)),
      ...others.map((system) => make("td", {}, verdict(system.figures.outcomes[index])))));
    const words = (row.evidence || []).map((word) => make("code", {}, word));
    body.append(make("tr", { class: "why" }, make("td", { colspan: 6 + others.length }, ...(words.length ? words : ["no feature deviates by three standard deviations or more"]))));
    byId("outcomes").append(body);
  });
}

function capture() {
  if (!data.capture) return;
  byId("capture").hidden = false;
  for (const line of data.capture.text) byId("capture-text").append(make("p", {}, line));
  for (const track of data.capture.tracks) lanes(byId("capture-lanes"), track);
}

function draw() {
  for (const id of ["facts", "cards", "figures", "legend", "lanes", "confusion-tabs", "conditions", "outcomes", "capture-text", "capture-lanes", "meanings"])
    byId(id).replaceChildren();
  heading(); cards(); comparison(); legend();
  for (const track of data.tracks) lanes(byId("lanes"), track);
  data.systems.forEach((system, index) => {
    const button = make("button", { type: "button", "data-index": index }, system.name);
    button.addEventListener("click", () => confusion(index));
    byId("confusion-tabs").append(button);
  });
  confusion(0); conditions(); episodes(); capture(); cloud();
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
draw();
