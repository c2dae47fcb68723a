// One call, followed event by event: verdict, timeline and attribution of each leg.

import { h, setText } from "./dom.js";
import { minutes, percent, plain, seconds, wallClock } from "./format.js";
import { probabilityMeter, shareBars, verdictBadge } from "./parts.js";
import { follow } from "./socket.js";
import { timeline } from "./timeline.js";

const DRAW_EVERY_MS = 250;
const EVENTS_SHOWN = 60;

/** Fill `host` with the call's live picture; returns a function that stops following. */
export function openDetail(host, callId, close) {
  const page = layout(host, callId, close);
  const legs = new Map();
  let sequence = "";
  let drawTimer = 0;
  let stop = () => {};

  const legOf = (name) => {
    if (!legs.has(name)) {
      const leg = legPanel(name);
      legs.set(name, leg);
      page.legs.append(leg.element);
      page.waiting.hidden = true;
    }
    return legs.get(name);
  };

  const redraw = () => {
    drawTimer ||= setTimeout(() => {
      drawTimer = 0;
      for (const leg of legs.values()) leg.draw();
    }, DRAW_EVERY_MS);
  };

  const take = (event) => {
    if (event.sequence && event.type !== "stream.heartbeat.v1") {
      if (event.type !== "stream.gap.v1" && event.sequence <= sequence) return; // delivered twice
      sequence = event.sequence > sequence ? event.sequence : sequence;
    }
    const data = event.data ?? {};
    switch (event.type) {
      case "call.started.v1":
        page.describe(data, event.time);
        break;
      case "call.media.v1":
        legOf(data.leg).media(data);
        break;
      case "call.gap.v1":
        legOf(data.leg).gap(data);
        break;
      case "call.score.v1":
        legOf(data.leg).score(data);
        break;
      case "call.ended.v1":
        page.end(data, event.time);
        stop();
        break;
      case "stream.gap.v1":
        page.note("The first events of this call are no longer held.");
        break;
    }
    page.log(event);
    redraw();
  };

  stop = follow(
    () => `v1/calls/${encodeURIComponent(callId)}/events?after=${sequence || 0}`,
    take,
    async (state) => {
      host.dataset.link = state;
      if (state !== "lost") return;
      const answer = await fetch(`v1/calls/${encodeURIComponent(callId)}`).catch(() => null);
      if (answer?.status === 404) {
        page.note("The server no longer holds this call.");
        stop();
      }
    },
  );
  return () => {
    clearTimeout(drawTimer);
    stop();
    host.replaceChildren();
  };
}

/** The panel's frame: heading, facts, place for legs, the latest events. */
function layout(host, callId, close) {
  const title = h("h2", { id: "detail-title" }, callId);
  const facts = h("p", { className: "facts" });
  const note = h("p", { className: "note", hidden: true });
  const waiting = h("p", { className: "waiting" }, "Waiting for this call's events…");
  const legs = h("div", { className: "legs" });
  const events = h("ol", { className: "events", reversed: true });
  const closeButton = h("button", { className: "close", type: "button", onclick: close }, "Close");
  closeButton.setAttribute("aria-keyshortcuts", "Escape");
  host.replaceChildren(
    h("div", { className: "heading" }, title, closeButton),
    facts,
    note,
    waiting,
    legs,
    h("details", { className: "raw" }, h("summary", {}, "Events as they arrive"), events),
  );
  const words = [];
  return {
    legs,
    waiting,
    describe(data, time) {
      setText(title, data.external_id || callId);
      words.push(callId, [data.protocol, data.line].filter(Boolean).join(" · "), `since ${wallClock(time)}`);
      setText(facts, words.filter(Boolean).join("  ·  "));
    },
    end(data, time) {
      setText(facts, [...words.filter(Boolean), `ended ${wallClock(time)}: ${plain(data.reason)}`].join("  ·  "));
      waiting.hidden = true;
    },
    note(text) {
      note.hidden = false;
      setText(note, text);
    },
    log(event) {
      const summary = event.data?.verdict
        ? `${event.data.leg} ${plain(event.data.verdict)} ${percent(event.data.spoof_probability)}`
        : plain(event.data?.reason ?? event.data?.leg ?? "");
      events.prepend(
        h(
          "li",
          {},
          h("time", { dateTime: event.time ?? "" }, wallClock(event.time)),
          h("code", {}, event.type),
          h("span", {}, summary + (event.data?.is_final ? " (final)" : "")),
        ),
      );
      while (events.children.length > EVENTS_SHOWN) events.lastChild.remove();
    },
  };
}

/** One leg: badge, meter, timeline, attribution; it gathers and draws when asked. */
function legPanel(name) {
  const badge = verdictBadge();
  const meter = probabilityMeter();
  const picture = timeline(`${name} leg`);
  const sources = shareBars("Likely sources");
  const families = shareBars("Likely families");
  const facts = h("p", { className: "facts" });
  const condition = h("p", { className: "hint" });
  const traced = h(
    "div",
    { className: "traced" },
    h("div", {}, h("h4", {}, "If synthetic: which system"), sources.element),
    h("div", {}, h("h4", {}, "Kind of generator"), families.element),
  );
  const element = h(
    "article",
    { className: "leg" },
    h("div", { className: "leg-head" }, h("h3", {}, name), badge.element, meter.element),
    picture.element,
    legend(),
    facts,
    condition,
    traced,
  );
  badge.show(undefined);
  meter.show(undefined);
  traced.hidden = true;

  const track = { points: [], gaps: [], threshold: null, final_ms: null };
  let codec = "";
  let latest = null;
  return {
    element,
    media(data) {
      codec = `${data.codec} ${data.rate_hz / 1000} kHz`;
    },
    gap(data) {
      track.gaps.push(data);
    },
    score(data) {
      latest = data;
      track.threshold = data.threshold?.value ?? track.threshold;
      if (data.is_final) track.final_ms = data.segment.end_ms;
      track.points.push({
        at_ms: data.segment.end_ms,
        call: data.spoof_probability,
        window: data.is_final ? null : (data.window?.spoof_probability ?? null),
        is_speech: data.is_final || data.segment.speech_ms > 0,
        verdict: data.verdict,
      });
    },
    draw() {
      picture.draw(track);
      if (!latest) return;
      badge.show(latest.verdict);
      meter.show(latest);
      setText(facts, legFacts(latest, codec));
      setText(
        condition,
        latest.verdict === "synthetic" ? "" : "Not judged synthetic: the shares below hold only if it were.",
      );
      condition.hidden = latest.verdict === "synthetic";
      traced.hidden = false;
      traced.dataset.dim = latest.verdict !== "synthetic";
      sources.show(latest.attribution.map((s) => ({ label: s.source, note: s.family, probability: s.probability })));
      const ranked = [...latest.families].sort((a, b) => b.probability - a.probability);
      families.show(ranked.slice(0, 6).map((f) => ({ label: f.family, probability: f.probability })));
    },
  };
}

function legFacts(score, codec) {
  const speech = score.speech_ms ?? score.segment.speech_ms;
  return [
    score.is_final ? "final" : `at ${minutes(score.segment.end_ms)}`,
    `${seconds(speech)} of speech`,
    codec || score.quality.codec,
    `${percent(score.quality.loss_ratio)} lost`,
    score.latency_ms ? `${Math.round(score.latency_ms.total)} ms behind` : "",
    `novelty ${score.novelty.toFixed(2)}`,
    `model ${score.model.id}`,
  ]
    .filter(Boolean)
    .join("  ·  ");
}

function legend() {
  const key = (name, words) => h("li", {}, h("span", { className: `key ${name}`, "aria-hidden": "true" }), words);
  return h(
    "ul",
    { className: "legend", "aria-label": "Key" },
    key("k-line", "call so far"),
    key("k-window", "last 3.8 s"),
    key("k-silence", "no speech"),
    key("k-gap", "audio lost"),
  );
}
