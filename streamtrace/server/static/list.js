// The table of calls: one row per leg, kept in place while decisions change.

import { h, setAttribute, setText } from "./dom.js";
import { minutes, percent, plain, seconds } from "./format.js";
import { probabilityMeter, verdictBadge } from "./parts.js";

/** Returns { show(calls, selectedId) }; `open(id)` is called when a call is chosen. */
export function callTable(table, open) {
  const bodies = new Map();
  return {
    show(calls, selectedId) {
      const wanted = new Set(calls.map((call) => call.id));
      for (const [id, body] of bodies) {
        if (wanted.has(id)) continue;
        body.element.remove();
        bodies.delete(id);
      }
      let after = table.tHead;
      for (const call of calls) {
        if (!bodies.has(call.id)) bodies.set(call.id, callBody(call.id, open));
        const body = bodies.get(call.id);
        body.show(call, call.id === selectedId);
        if (after.nextElementSibling !== body.element) after.after(body.element);
        after = body.element;
      }
    },
  };
}

function callBody(id, open) {
  const element = h("tbody", { "data-call": id });
  const title = h("button", { type: "button", className: "call", onclick: () => open(id) });
  const facts = h("span", { className: "facts" });
  const head = h("th", { scope: "rowgroup" }, title, facts);
  const rows = new Map();
  element.onclick = (click) => {
    if (!click.target.closest("button")) open(id);
  };
  return {
    element,
    show(call, isSelected) {
      element.dataset.state = call.state;
      element.dataset.selected = isSelected;
      setAttribute(title, "aria-current", isSelected);
      setText(title, call.name);
      setText(facts, callFacts(call));
      const legs = call.legs.length ? call.legs : [{ leg: "–", decision: null }];
      const names = new Set(legs.map((leg) => leg.leg));
      for (const [name, row] of rows) {
        if (names.has(name)) continue;
        row.element.remove();
        rows.delete(name);
      }
      legs.forEach((leg, i) => {
        if (!rows.has(leg.leg)) {
          const row = legRow();
          rows.set(leg.leg, row);
          element.append(row.element);
        }
        const row = rows.get(leg.leg);
        row.show(leg);
        if (i === 0 && row.element.firstChild !== head) row.element.prepend(head);
      });
      head.rowSpan = legs.length;
    },
  };
}

function legRow() {
  const leg = h("td", { className: "c-leg" });
  const badge = verdictBadge();
  const meter = probabilityMeter();
  const source = h("td", { className: "c-source" });
  const speech = h("td", { className: "c-speech" });
  const element = h("tr", {}, leg, h("td", {}, badge.element), h("td", {}, meter.element), source, speech);
  return {
    element,
    show({ leg: name, decision }) {
      setText(leg, name);
      badge.show(decision?.verdict);
      meter.show(decision);
      // A source is only named where the voice is judged synthetic: otherwise there is none to name.
      const top = decision?.verdict === "synthetic" ? decision.attribution[0] : null;
      setText(source, top ? `${plain(top.source)} ${percent(top.probability)}` : "–");
      setText(speech, decision ? seconds(decision.speech_ms) : "–");
    },
  };
}

function callFacts(call) {
  const age = minutes((call.endedAt ?? Date.now()) - call.startedAt);
  const place = call.line ? `${call.protocol} · ${call.line}` : call.protocol;
  return `${place} · ${call.state} ${age}`;
}
