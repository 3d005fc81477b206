// Scores over time: one picture for each measure, with the same numbers in a table beside it.

import { el, fold, list } from "./dom.js";
import { call } from "./http.js";

const SVG = "http://www.w3.org/2000/svg";
const DAY = 86400000;
const HEIGHT = 190;
const EDGE = { left: 34, right: 12, top: 10, bottom: 34 };
const LEAST_WIDTH = 240;
const BEFORE = 14 * DAY;
const KINDS = {
  final: "",
  partial: "date known in part",
  preliminary: "preliminary",
  unclear: "scale not stated, not drawn",
};

let pictures = 0;

export function picturesPanel(request, open) {
  const body = el("div", { class: "courses", "aria-live": "polite" });
  const panel = el("details", { class: "panel" }, el("summary", {}, "Scores over time"), body);
  let asked = false;
  panel.addEventListener("toggle", () => {
    if (!panel.open || asked) return;
    asked = true;
    fill(body, request, open);
  });
  return panel;
}

async function fill(body, request, open) {
  body.replaceChildren(el("p", {}, "Reading the scores…"));
  const answer = await call("POST", "/explore/course", request);
  if (!answer.ok) return body.replaceChildren(el("p", {}, "The scores could not be read."));
  const courses = list(answer.body?.courses);
  const shown = courses.map((course) => courseNode(course, courses.length > 1, open));
  return body.replaceChildren(...(shown.length ? shown : [el("p", {}, "No order is in scope.")]));
}

function courseNode(course, several, open) {
  const name = course.title ?? "No policy applied";
  return el(
    "section",
    { class: "course" },
    several ? el("h3", {}, name) : null,
    el("p", { class: "hint" }, courseWords(course)),
    course.lines.length ? course.lines.map((line) => figure(line, course, { open, level: several ? "h4" : "h3" })) : el("p", {}, "No scores are on file."),
  );
}

function courseWords(course) {
  const dated = course.visits.filter(exact);
  const partial = course.visits.length - dated.length;
  const began = course.anchor ? `This episode of care began on ${course.anchor}` : "Care has not begun";
  const more = partial ? `, ${partial} more of which only part of the date is known` : "";
  return `${began}; ${counted(dated.length, "massage visit")} on file${more}. The order is dated ${course.day}.`;
}

function figure(line, course, { open, level }) {
  const frame = el("div", { class: "picture" });
  const draw = () => frame.replaceChildren(picture(line, course, Math.max(frame.clientWidth, LEAST_WIDTH)));
  new ResizeObserver(draw).observe(frame);
  return el(
    "figure",
    {},
    el("figcaption", {}, el(level, {}, line.title), el("small", {}, `${line.better} is better`)),
    frame,
    legend(line),
    fold(`${line.title} as a table`, false, table(line, open)),
  );
}

function legend(line) {
  const words = [
    ...line.bands.map((band) => ["band", bandWords(band, line)]),
    line.step && ["step", stepWords(line)],
    line.baseline && ["base", `Baseline: ${round(line.baseline.value)} on ${dayOf(line.baseline)}${line.baseline.late ? ", after the first visit" : ""}`],
  ].filter(Boolean);
  return words.length ? el("ul", { class: "legend" }, words.map(([kind, text]) => el("li", {}, swatch(kind), text))) : null;
}

function swatch(kind) {
  const image = svg("svg", { class: "swatch", viewBox: "0 0 24 12", "aria-hidden": "true" });
  if (kind === "band") image.append(svg("rect", { class: "band", x: 0, y: 0, width: 24, height: 12 }));
  if (kind === "step") image.append(svg("line", { class: "step", x1: 0, x2: 24, y1: 6, y2: 6 }));
  if (kind === "base") image.append(svg("circle", { class: "ring", cx: 12, cy: 6, r: 5 }));
  return image;
}

function bandWords(band, line) {
  const limit = line.better === "lower" ? "at most" : "at least";
  const sizes = { any: "better than", mcid: `better by the MCID: ${limit}` };
  const size = sizes[band.size] ?? `better by ${band.size}: ${limit}`;
  const span = band.last ? `${band.first} to ${band.last}` : `from ${band.first}`;
  return `Target ${band.rule}, ${span}: ${size} ${round(band.edge)}`;
}

function stepWords(line) {
  const { size, unit, value, configured } = line.step;
  const origin = configured ? " (set here; awaits a clinician's sign-off)" : "";
  return `MCID: ${size} ${unit} from the baseline, at ${round(value)}${origin}`;
}

function table(line, open) {
  const head = ["Date", "Value", "Remark", "Source"].map((name) => el("th", { scope: "col" }, name));
  const rows = line.points.map((point) =>
    el(
      "tr",
      {},
      el("th", { scope: "row" }, dayOf(point)),
      el("td", {}, String(point.text ?? point.value ?? "")),
      el("td", {}, KINDS[point.kind]),
      el("td", {}, el("button", { type: "button", class: "quiet", onclick: () => open(point.reference) }, point.reference)),
    ),
  );
  const attributes = { class: "scroll", tabindex: "0", role: "region", "aria-label": `${line.title} as a table` };
  return el("div", attributes, el("table", { class: "grid" }, el("thead", {}, el("tr", {}, head)), el("tbody", {}, rows)));
}

function picture(line, course, width) {
  pictures += 1;
  const names = [`picture-${pictures}-title`, `picture-${pictures}-desc`];
  const image = svg("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT, role: "img", "aria-labelledby": names.join(" ") });
  const scale = scales(line, course, width);
  image.append(text("title", names[0], line.title), text("desc", names[1], description(line, course)));
  image.append(...bandShapes(line, scale), ...axes(line, scale), ...visitTicks(course, scale));
  image.append(...stepLine(line, scale), ...path(line, scale), ...marks(line, scale));
  return image;
}

function description(line, course) {
  const drawn = line.points.filter((point) => point.value != null);
  if (!drawn.length) return "No value can be drawn.";
  const [first, last] = [drawn[0], drawn[drawn.length - 1]];
  const words = [`${counted(drawn.length, "value")}`, `${round(first.value)} on ${dayOf(first)}`];
  if (drawn.length > 1) words.push(`last ${round(last.value)} on ${dayOf(last)}`);
  words.push(counted(course.visits.filter(exact).length, "visit"), ...line.bands.map((band) => bandWords(band, line)));
  return `${words.join("; ")}.`;
}

function scales(line, course, width) {
  const days = line.points.flatMap((point) => [time(point.first), time(point.last)]);
  const start = Math.min(time(course.anchor ?? course.day), ...days);
  const end = Math.max(time(course.day), ...days);
  const from = start - Math.max((end - start) * 0.04, DAY);
  const until = end + Math.max((end - start) * 0.04, DAY);
  const wide = width - EDGE.left - EDGE.right;
  const high = HEIGHT - EDGE.top - EDGE.bottom;
  const x = (moment) => EDGE.left + (wide * (clamp(moment, from, until) - from)) / (until - from);
  const y = (value) => EDGE.top + (high * (line.high - clamp(value, line.low, line.high))) / (line.high - line.low || 1);
  return { x, y, from, until, start, width, day: time(course.day) };
}

function bandShapes(line, { x, y, from, until }) {
  const best = line.better === "lower" ? line.low : line.high;
  return line.bands
    .map((band) => ({ band, first: time(band.first), last: band.last ? time(band.last) + DAY : until }))
    .filter(({ first, last }) => first < until && last > from)
    .map(({ band, first, last }) => {
      const [top, bottom] = [y(band.edge), y(best)].sort((one, other) => one - other);
      return svg("rect", { class: "band", x: x(first), y: top, width: Math.max(x(last) - x(first), 2), height: Math.max(bottom - top, 2) });
    });
}

function axes(line, { x, y, start, width, day }) {
  const middle = (line.low + line.high) / 2;
  const floor = HEIGHT - EDGE.bottom;
  const ticks = [line.low, middle, line.high].flatMap((value) => [
    svg("line", { class: "grid-line", x1: EDGE.left, x2: width - EDGE.right, y1: y(value), y2: y(value) }),
    label(String(round(value)), EDGE.left - 6, y(value) + 4, "end"),
  ]);
  const order = svg("line", { class: "order-line", x1: x(day), x2: x(day), y1: EDGE.top, y2: floor });
  const ends = [label(iso(start), EDGE.left, HEIGHT - 6, "start"), label(`order ${iso(day)}`, width - EDGE.right, HEIGHT - 6, "end")];
  return [...ticks, order, ...(iso(start) === iso(day) ? ends.slice(1) : ends)];
}

function visitTicks(course, { x, from, until }) {
  const floor = HEIGHT - EDGE.bottom;
  const shown = course.visits.filter((visit) => exact(visit) && time(visit.first) >= from - BEFORE && time(visit.first) <= until);
  return shown.map((visit) => svg("line", { class: "visit", x1: x(time(visit.first)), x2: x(time(visit.first)), y1: floor + 2, y2: floor + 12 }));
}

function stepLine(line, { x, y, until }) {
  if (!line.step) return [];
  const begin = x(time(line.baseline.first));
  const [base, value] = [y(line.baseline.value), y(line.step.value)];
  const rise = svg("line", { class: "step", x1: begin, x2: begin, y1: base, y2: value });
  return [rise, svg("line", { class: "step", x1: begin, x2: x(until), y1: value, y2: value }), label("MCID", x(until) - 2, value - 4, "end")];
}

function path(line, { x, y }) {
  const drawn = line.points.filter((point) => point.kind === "final");
  if (drawn.length < 2) return [];
  const points = drawn.map((point) => `${x(time(point.first))},${y(point.value)}`).join(" ");
  return [svg("polyline", { class: "line", points })];
}

function marks(line, { x, y }) {
  const drawn = line.points.filter((point) => point.value != null);
  const shapes = drawn.flatMap((point) => mark(point, x, y));
  const { baseline } = line;
  const ring = baseline ? [svg("circle", { class: "ring", cx: x(time(baseline.first)), cy: y(baseline.value), r: 7 })] : [];
  return [...ring, ...shapes];
}

// Of a partial date the mark is as long as the days it can mean.
function mark(point, x, y) {
  const level = y(point.value);
  if (!exact(point)) {
    const ends = { x1: x(time(point.first)), x2: x(time(point.last)), y1: level, y2: level };
    return [svg("line", { class: "span", ...ends })];
  }
  return [svg("circle", { class: `point ${point.kind}`, cx: x(time(point.first)), cy: level, r: 4 })];
}

function exact(one) {
  return one.first === one.last;
}

function time(day) {
  return Date.parse(`${day}T00:00:00Z`);
}

function iso(moment) {
  return new Date(moment).toISOString().slice(0, 10);
}

function clamp(value, low, high) {
  return Math.min(Math.max(value, low), high);
}

// The day a score counts on; a date of which only part is known stands as written.
function dayOf(point) {
  return exact(point) ? point.first : (point.date ?? point.first);
}

function round(value) {
  return Math.round(value * 100) / 100;
}

function counted(count, word) {
  return `${count} ${word}${count === 1 ? "" : "s"}`;
}

function label(words, x, y, anchor) {
  const node = svg("text", { x, y, "text-anchor": anchor });
  node.textContent = words;
  return node;
}

function text(tag, id, words) {
  const node = svg(tag, { id });
  node.textContent = words;
  return node;
}

function svg(tag, attributes) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}
