"use strict";
// Everything that comes from data reaches the page as text (textContent) or as a number: never as markup.
const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const SVG = new Set(["svg", "line", "polyline", "circle", "text", "rect"]);
function make(tag, attributes = {}, ...children) {
  const node = SVG.has(tag) ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

const frames = data.frames, last = frames.length - 1, epochs = data.epochs;
const sides = [0, 1].map((held) => data.held_out.flatMap((side, index) => (side === held ? [index] : [])));
const marked = data.conditions.flatMap((_, code) => (frames[last].marks[code] ? [code] : []));
const state = { at: frames.findIndex((frame) => frame.done === data.kept), chosen: null, shown: [true, true] };

// Colours come from the palette (palette.py). A fault also has a number, so that colour is never the only mark.
const dark = matchMedia("(prefers-color-scheme: dark)");
const COLOURS = 16;
const property = (code) => (code === 0 ? "--normal" : `--fault-${(code - 1) % COLOURS + 1}`);
const rgb = (hex) => [1, 3, 5].map((start) => parseInt(hex.slice(start, start + 2), 16));
// Faded colours are mixed with the background: WebGL adds up transparent points.
function colour(code, strength = 1) {
  const full = rgb(css(property(code))), background = rgb(css("--card"));
  return `rgb(${full.map((value, index) => Math.round(value * strength + background[index] * (1 - strength))).join(", ")})`;
}
const label = (code) => (code === 0 ? "normal" : String(code));
const faded = (code) => state.chosen !== null && code !== 0 && code !== state.chosen;
const shade = (code) => colour(code, faded(code) ? 0.13 : 1);
const number = (value, digits = 2) => (value === null || value === undefined ? "–" : value.toFixed(digits));
const share = (value) => (value === null || value === undefined ? "–" : `${Math.round(100 * value)} %`);
const reduced = matchMedia("(prefers-reduced-motion: reduce)");

// Positions between two frames: points move on a straight line.
function positions(position) {
  const from = Math.floor(position), part = position - from;
  const a = frames[from], b = frames[Math.min(from + 1, last)];
  const between = (one, other, axis) => one[axis] + (other[axis] - one[axis]) * part;
  const points = (indices) => [0, 1, 2].map((axis) => indices.map((index) => between(a.points, b.points, 3 * index + axis)));
  const marks = [0, 1, 2].map((axis) => marked.map((code) => between(a.marks[code], b.marks[code], axis)));
  const traces = [points(sides[0]), points(sides[1]), marks];
  return { x: traces.map((trace) => trace[0]), y: traces.map((trace) => trace[1]), z: traces.map((trace) => trace[2]) };
}

// The numbers of the diamonds, in front of all points.
function labels(at) {
  return marked.map((code, index) => ({
    x: at.x[2][index], y: at.y[2][index], z: at.z[2][index], text: label(code), showarrow: false, yshift: 17, borderpad: 1, opacity: faded(code) ? 0.35 : 1,
    bgcolor: css("--card"), font: { size: 13, color: css("--ink"), weight: 650 },
  }));
}

function scene() {
  if (!window.Plotly) return;
  const at = positions(state.at), hover = "%{text}<extra></extra>";
  const points = (side, marker) => ({
    type: "scatter3d", mode: "markers", x: at.x[side], y: at.y[side], z: at.z[side], visible: state.shown[side], hovertemplate: hover,
    text: sides[side].map((index) => `${escaped(data.conditions[data.code[index]])}<br>${data.text[index]}`),
    marker: { color: sides[side].map((index) => shade(data.code[index])), ...marker },
  });
  const traces = [points(0, { size: 4.5 }), points(1, { size: 7, symbol: "circle-open" }), {
    type: "scatter3d", mode: "markers", x: at.x[2], y: at.y[2], z: at.z[2],
    text: marked.map((code) => escaped(data.conditions[code])), hovertemplate: "%{text}: mean of its training hours<extra></extra>",
    marker: { symbol: "diamond", size: 8, color: marked.map(shade), line: { color: css("--ink"), width: 1.5 } },
  }];
  const axis = (index) => ({ range: data.ranges[index], title: { text: "" }, showticklabels: false, gridcolor: css("--line"), zerolinecolor: css("--soft"),
    showbackground: false, showspikes: false, nticks: 5 });
  const spans = data.ranges.map(([low, high]) => high - low), mean = Math.cbrt(spans[0] * spans[1] * spans[2]);
  Plotly.react("scene", traces, {
    paper_bgcolor: css("--card"), font: { color: css("--soft") }, margin: { l: 0, r: 0, t: 0, b: 0 }, showlegend: false, uirevision: "one",
    scene: { xaxis: axis(0), yaxis: axis(1), zaxis: axis(2), aspectmode: "manual", uirevision: "one", annotations: labels(at),
      aspectratio: { x: spans[0] / mean, y: spans[1] / mean, z: spans[2] / mean }, camera: { eye: { x: 0.95, y: 0.95, z: 0.5 } } },
  }, { responsive: true, displaylogo: false, displayModeBar: false });
}
const escaped = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

const CHARTS = [["score", "Macro-F1 on held-out networks", 1], ["loss", "Mean loss of the epoch", null]];
const WIDTH = 348, HEIGHT = 104, TOP = 24, FOOT = 88, LEFT = 4, BEGIN = 34, RIGHT = WIDTH - 6;
const across = (done) => BEGIN + ((RIGHT - BEGIN) * done) / Math.max(epochs.length, 1);
function charts() {
  byId("charts").replaceChildren(...CHARTS.map(([key, title, top]) => {
    const known = epochs.map((epoch) => epoch[key]).filter((value) => value !== null);
    const most = top || Math.max(...known), least = top ? 0 : Math.min(...known);
    const up = (value) => FOOT - ((FOOT - TOP) * (value - least)) / (most - least || 1);
    const svg = make("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": title, "data-key": key },
      make("rect", { x: 0, y: 0, width: WIDTH, height: HEIGHT, fill: "transparent" }),
      make("text", { x: LEFT, y: 13 }, title), make("text", { class: "value", x: RIGHT, y: 13, "text-anchor": "end" }),
      make("line", { class: "axis", x1: LEFT, x2: RIGHT, y1: FOOT, y2: FOOT }), make("line", { class: "axis", x1: LEFT, x2: RIGHT, y1: TOP, y2: TOP }),
      make("text", { class: "end", x: LEFT, y: TOP + 12 }, number(most)), make("text", { class: "end", x: LEFT, y: FOOT - 4 }, number(least)),
      make("polyline", { class: "line", points: epochs.map((epoch, index) => `${across(index + 1)},${up(epoch[key])}`).join(" ") }),
      make("line", { class: "now", y1: TOP - 4, y2: FOOT + 4 }), make("circle", { class: "dot", r: 4.5 }),
      make("text", { x: BEGIN, y: HEIGHT - 3 }, "epoch 0"), make("text", { x: RIGHT, y: HEIGHT - 3, "text-anchor": "end" }, String(epochs.length)));
    if (key === "score" && data.kept) svg.append(make("text", { class: "star", x: across(data.kept), y: up(epochs[data.kept - 1].score) - 6, "text-anchor": "middle" }, "★"));
    svg.addEventListener("click", (event) => {
      const box = svg.getBoundingClientRect();
      const done = ((((event.clientX - box.left) / box.width) * WIDTH - BEGIN) / (RIGHT - BEGIN)) * epochs.length;
      stop();
      go(frames.reduce((best, frame, index) => (Math.abs(frame.done - done) < Math.abs(frames[best].done - done) ? index : best), 0));
    });
    svg.up = up;
    return svg;
  }));
}

// Show the metrics of a frame.
function showMetrics(index) {
  const frame = frames[index], epoch = frame.done ? epochs[frame.done - 1] : null;
  const label = frame.done ? `Epoch ${frame.done} of ${epochs.length}` : "Before training";
  byId("frame").value = index;
  byId("frame").setAttribute("aria-valuetext", label);
  byId("epoch").textContent = label;
  for (const svg of byId("charts").children) {
    const value = epoch ? epoch[svg.dataset.key] : null, x = across(frame.done), dot = svg.querySelector(".dot"), now = svg.querySelector(".now");
    svg.querySelector(".value").textContent = number(value, value !== null && Math.abs(value) < 1 ? 3 : 2);
    now.setAttribute("x1", x); now.setAttribute("x2", x);
    dot.setAttribute("visibility", value === null ? "hidden" : "visible");
    dot.setAttribute("cx", x);
    if (value !== null) dot.setAttribute("cy", svg.up(value));
  }
  const rows = [
    ["Nearest to own diamond, training", share(frame.right[0])], ["Nearest to own diamond, held out", share(frame.right[1])],
    ["Effective dimensions", number(epoch && epoch.effective_dimensions, 1)], ["Triplets that violate the margin", epoch ? `${number(100 * epoch.active_share, 1)} %` : "–"],
  ];
  byId("figures").replaceChildren(...rows.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
}

function move(position) {
  state.at = position;
  const at = positions(position);
  if (window.Plotly) Plotly.update("scene", at, { "scene.annotations": labels(at) }, [0, 1, 2]);
}
function go(index) { move(index); showMetrics(index); }

let run = 0; // number of the current run, 0 for none; callbacks of an older run stop
let runs = 0;
function stop() { run = 0; byId("play").textContent = "▶ Play"; }
function play() {
  if (run) { stop(); go(Math.round(state.at)); return; }
  const current = run = ++runs;
  byId("play").textContent = "❚❚ Pause";
  const begin = state.at >= last ? 0 : Math.round(state.at), pace = Math.min(800, Math.max(80, 16000 / frames.length)), started = performance.now();
  let shown = -1;
  const draw = (now) => {
    if (run !== current) return;
    const position = Math.min(begin + Math.max(now - started, 0) / pace, last), index = Math.floor(position), part = position - index;
    if (index !== shown) { showMetrics(index); shown = index; }
    move(reduced.matches ? index : Math.min(index + part * part * (3 - 2 * part), last));
    if (position < last) requestAnimationFrame(draw);
    else stop();
  };
  requestAnimationFrame(draw);
}

function legend() {
  byId("choices").classList.toggle("chosen", state.chosen !== null);
  byId("choices").replaceChildren(...data.conditions.flatMap((name, code) => {
    if (!data.code.includes(code)) return [];
    const key = make("b", { class: "key" }, code ? String(code) : "\u00a0");
    key.style.background = colour(code);
    key.style.color = code ? css(`${property(code)}-ink`) : css("--card");
    const button = make("button", { type: "button", "aria-pressed": String(state.chosen === code), title: name }, key, name);
    if (!code) { button.disabled = true; button.classList.add("always"); button.removeAttribute("aria-pressed"); return [button]; }
    button.addEventListener("click", () => {
      state.chosen = state.chosen === code ? null : code;
      legend(); scene();
      byId("choices").querySelector(`[data-code="${code}"]`).focus();
    });
    button.dataset.code = code;
    return [button];
  }));
  byId("sides").replaceChildren(...["● training", "○ held out"].map((word, side) => {
    const box = make("input", { type: "checkbox" });
    box.checked = state.shown[side];
    box.addEventListener("change", () => { state.shown[side] = box.checked; scene(); });
    return make("label", {}, box, word);
  }));
}

function notes() {
  const rows = [
    ["Points", "Filled points are hours of training networks; rings are hours of held-out networks. Every hour is normal or contains at least ten faulty minutes."],
    ["Position", "The mean vector of the node's normal traffic is subtracted from every vector, as in operation. So normal hours lie around the origin."],
    ["Diamonds", "The mean of the training hours of each fault; for normal, the origin. In operation, the nearest such reference gives the verdict. The panel shows the share of hours that are nearest to their own diamond, in all dimensions."],
    ["Axes", `${data.axes} Axes and scale are the same for all epochs. Between two epochs, points move in a straight line. Drag to turn, scroll to zoom.`],
    ["★", `The epoch with the best score on the held-out networks. The model file contains its weights. Training ended: ${data.stopped}.`],
  ];
  byId("notes").replaceChildren(...rows.flatMap(([name, text]) => [make("dt", {}, name), make("dd", {}, text)]));
}

function course() {
  const columns = [["Epoch", (epoch, index) => String(index + 1)], ["Macro-F1, held out", (epoch) => number(epoch.score, 3)], ["Loss", (epoch) => number(epoch.loss, 3)],
    ["Triplets that violate the margin", (epoch) => `${number(100 * epoch.active_share, 2)} %`], ["Effective dimensions", (epoch) => number(epoch.effective_dimensions, 1)],
    ["Seconds", (epoch) => number(epoch.seconds, 1)], ["Windows/s", (epoch) => number(epoch.windows_per_second, 0)], ["Learning rate", (epoch) => epoch.learning_rate.toExponential(1)]];
  byId("course").replaceChildren(make("thead", {}, make("tr", {}, ...columns.map(([name]) => make("th", { class: "number", scope: "col" }, name)))),
    make("tbody", {}, ...epochs.map((epoch, index) => make("tr", {}, ...columns.map(([, show]) => make("td", { class: "number" }, show(epoch, index)))))));
}

function draw() {
  document.querySelector(".lead .normal").style.color = colour(0);
  legend(); charts(); scene(); showMetrics(Math.round(state.at));
}
document.title = `Faultprint: ${data.title}`;
byId("title").textContent = data.title;
for (const [name, value] of data.facts) byId("facts").append(make("li", {}, `${name} `, make("b", {}, value)));
byId("frame").max = last;
byId("frame").addEventListener("input", (event) => { stop(); go(Number(event.target.value)); });
byId("play").addEventListener("click", play);
byId("kept").textContent = `★ epoch ${data.kept}`;
byId("kept").title = "Go to the epoch whose weights were saved";
byId("kept").addEventListener("click", () => { stop(); go(frames.findIndex((frame) => frame.done === data.kept)); });
dark.addEventListener("change", draw);
// A link can name an epoch and a fault: animation.html#epoch=3&fault=hss-link-down.
const asked = new URLSearchParams(location.hash.slice(1));
const frame = frames.findIndex(({ done }) => String(done) === asked.get("epoch"));
if (frame >= 0) state.at = frame;
if (data.conditions.indexOf(asked.get("fault")) > 0) state.chosen = data.conditions.indexOf(asked.get("fault"));
notes(); course(); draw();
