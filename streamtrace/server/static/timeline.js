// One leg's probabilities over call time, drawn as SVG: decision, windows, threshold, silence, gaps.

import { s } from "./dom.js";
import { minutes, percent } from "./format.js";

const HEIGHT = 190;
const EDGE = { left: 38, right: 14, top: 12, bottom: 24 };
const LEAST_SPAN_MS = 15_000;
const TICKS_MS = [2_000, 5_000, 10_000, 30_000, 60_000, 300_000, 600_000, 1_800_000, 3_600_000];

/**
 * `track`: { points: [{at_ms, call, window, is_speech}], gaps: [{start_ms, end_ms}], threshold, final_ms }.
 * Returns { element, draw(track) }.
 */
export function timeline(label) {
  const element = s("svg", { class: "timeline", role: "img", height: HEIGHT });
  let track = null;

  const draw = () => {
    const width = element.clientWidth;
    if (!track || !width) return;
    const last = track.points.at(-1);
    const span = Math.max(LEAST_SPAN_MS, last?.at_ms ?? 0, track.final_ms ?? 0);
    const x = (ms) => EDGE.left + (ms / span) * (width - EDGE.left - EDGE.right);
    const y = (share) => EDGE.top + (1 - share) * (HEIGHT - EDGE.top - EDGE.bottom);
    element.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    element.setAttribute("aria-label", summary(label, track));
    element.replaceChildren(
      hatching(),
      ...silences(track, x, y),
      ...grid(span, width, x, y),
      ...track.gaps.map((gap) => band("gap", gap.start_ms, Math.max(gap.end_ms, gap.start_ms + span / 400), x, y)),
      ...thresholdLine(track, width, y),
      ...windows(track, x, y),
      ...decision(track, x, y),
    );
  };

  new ResizeObserver(draw).observe(element);
  return {
    element,
    draw(next) {
      track = next;
      draw();
    },
  };
}

/** What a screen reader is told in place of the picture. */
function summary(label, track) {
  const last = track.points.at(-1);
  if (!last) return `${label}: nothing decided yet`;
  const highest = Math.max(...thinned(track.points).map((point) => point.call));
  return `${label}: spoof probability ${percent(last.call)} after ${minutes(last.at_ms)}, at most ${percent(highest)}; ${track.gaps.length} gaps`;
}

function hatching() {
  const pattern = s(
    "pattern",
    { id: "hatch", width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
    s("path", { d: "M0 0V6", class: "hatch" }),
  );
  return s("defs", {}, pattern);
}

function band(name, from_ms, to_ms, x, y) {
  return s("rect", { class: name, x: x(from_ms), y: y(1), width: Math.max(1, x(to_ms) - x(from_ms)), height: y(0) - y(1) });
}

/** Stretches in which no speech was heard, joined to one band each. */
function silences(track, x, y) {
  const bands = [];
  let from = null;
  let before = 0;
  for (const point of track.points) {
    if (point.is_speech && from !== null) {
      bands.push(band("silence", from, before, x, y));
      from = null;
    } else if (!point.is_speech && from === null) from = before;
    before = point.at_ms;
  }
  if (from !== null) bands.push(band("silence", from, before, x, y));
  return bands;
}

function grid(span, width, x, y) {
  const parts = [];
  for (const share of [0, 0.5, 1]) {
    parts.push(s("line", { class: "grid", x1: EDGE.left, x2: width - EDGE.right, y1: y(share), y2: y(share) }));
    const words = s("text", { class: "tick", x: EDGE.left - 7, y: y(share) + 3.5, "text-anchor": "end" });
    words.textContent = share;
    parts.push(words);
  }
  const most = Math.max(2, Math.floor(width / 90));
  const every = TICKS_MS.find((candidate) => span / candidate <= most) ?? TICKS_MS.at(-1);
  for (let at = 0; at <= span; at += every) {
    const words = s("text", { class: "tick", x: x(at), y: HEIGHT - 7, "text-anchor": at === 0 ? "start" : "middle" });
    words.textContent = minutes(at);
    parts.push(words);
  }
  return parts;
}

function thresholdLine(track, width, y) {
  if (track.threshold === null) return [];
  const at = y(track.threshold);
  const words = s("text", { class: "tick threshold", x: width - EDGE.right, y: at - 5, "text-anchor": "end" });
  words.textContent = `synthetic from ${percent(track.threshold)}`;
  return [s("line", { class: "threshold", x1: EDGE.left, x2: width - EDGE.right, y1: at, y2: at }), words];
}

function windows(track, x, y) {
  return thinned(track.points)
    .filter((point) => point.window !== null)
    .map((point) => s("circle", { class: "window", cx: x(point.at_ms), cy: y(point.window), r: 2 }));
}

function decision(track, x, y) {
  const points = thinned(track.points);
  if (points.length === 0) return [];
  const line = points.map((point, i) => `${i ? "L" : "M"}${x(point.at_ms).toFixed(1)} ${y(point.call).toFixed(1)}`).join("");
  const last = points.at(-1);
  const area = `${line}L${x(last.at_ms).toFixed(1)} ${y(0)}L${x(points[0].at_ms).toFixed(1)} ${y(0)}Z`;
  return [
    s("path", { class: "area", d: area }),
    s("path", { class: "line", d: line }),
    s("circle", { class: "head", "data-verdict": last.verdict, cx: x(last.at_ms), cy: y(last.call), r: 4.5 }),
  ];
}

/** At most some 600 points, the last one always among them: hours of call stay cheap to draw. */
function thinned(points) {
  const stride = Math.ceil(points.length / 600);
  return stride <= 1 ? points : points.filter((_, i) => (points.length - 1 - i) % stride === 0);
}
