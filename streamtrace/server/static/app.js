// The first page: the live feed in, the table and one opened call out.

import { setText } from "./dom.js";
import { openDetail } from "./detail.js";
import { VERDICTS, percent, wallClock } from "./format.js";
import { callTable } from "./list.js";
import { follow } from "./socket.js";

const MOST_CALLS = 200; // older ended calls leave the page, not the server
const ANNOUNCE_EVERY_MS = 5_000;

const part = (id) => document.getElementById(id);
const calls = new Map();
const announced = new Map();
const table = callTable(part("table"), (id) => (location.hash = `call=${encodeURIComponent(id)}`));
let selectedId = null;
let closeDetail = () => {};
let heardAt = null;
let isSnapshot = true; // the first frame of a link tells all calls, later ones those that changed

/** The feed's wording of a call, in this page's terms. */
function readCall(raw) {
  return {
    id: raw.id,
    name: raw.external_id || raw.id,
    line: raw.line,
    protocol: raw.protocol,
    state: raw.state,
    isLive: raw.state === "live",
    startedAt: Date.parse(raw.started),
    endedAt: raw.ended ? Date.parse(raw.ended) : null,
    legs: raw.legs.map(({ leg, decision }) => ({ leg, decision })),
  };
}

function takeFrame(frame) {
  heardAt = new Date();
  if (!frame.calls) return; // a heartbeat
  if (isSnapshot) calls.clear(); // a server that was restarted knows others
  isSnapshot = false;
  for (const raw of frame.calls) calls.set(raw.id, readCall(raw));
  show();
}

/** Live calls first, then the newest. */
function ordered() {
  const sorted = [...calls.values()].sort((a, b) => b.isLive - a.isLive || b.startedAt - a.startedAt);
  for (const call of sorted.splice(MOST_CALLS)) if (call.id !== selectedId) calls.delete(call.id);
  return sorted;
}

function show() {
  const list = ordered();
  const isSynthetic = (call) => call.legs.some((leg) => leg.decision?.verdict === "synthetic");
  setText(part("tally-live"), list.filter((call) => call.isLive).length);
  setText(part("tally-synthetic"), list.filter(isSynthetic).length);
  setText(part("tally-shown"), list.length);
  part("empty").hidden = list.length > 0 || !heardAt;
  part("table").hidden = list.length === 0;
  table.show(list, selectedId);
}

/** Tell changed verdicts to screen readers, gathered, at most every few seconds. */
function announce() {
  const changes = [];
  for (const call of calls.values()) {
    for (const { leg, decision } of call.legs) {
      const key = `${call.id} ${leg}`;
      if (!decision || announced.get(key) === decision.verdict) continue;
      announced.set(key, decision.verdict);
      changes.push(`${call.name}, ${leg}: ${VERDICTS[decision.verdict].words}, ${percent(decision.spoof_probability)}`);
    }
  }
  if (changes.length > 3) changes.splice(3, Infinity, `and ${changes.length - 3} more`);
  if (changes.length) setText(part("announce"), changes.join(". "));
}

function linkState(state) {
  const isLost = state === "lost";
  isSnapshot = true;
  part("link").dataset.state = state;
  setText(part("link").querySelector(".words"), isLost ? "reconnecting" : "live");
  document.body.dataset.stale = isLost;
  const since = heardAt ? `These are the decisions of ${wallClock(heardAt.toISOString())}.` : "";
  setText(part("stale"), isLost ? `The connection to the server is lost. ${since} Trying again…` : "");
  part("stale").hidden = !isLost;
}

function select() {
  const wanted = new URLSearchParams(location.hash.slice(1)).get("call");
  if (wanted === selectedId) return;
  closeDetail();
  const before = selectedId;
  selectedId = wanted;
  part("detail").hidden = !wanted;
  part("main").dataset.open = Boolean(wanted);
  closeDetail = wanted ? openDetail(part("detail"), wanted, leave) : () => {};
  show();
  if (wanted) part("detail").focus({ preventScroll: matchMedia("(min-width: 64rem)").matches });
  else document.querySelector(`[data-call="${CSS.escape(before ?? "")}"] button`)?.focus();
}

function leave() {
  history.pushState(null, "", location.pathname + location.search);
  select();
}

setText(part("command-whip"), `streamtrace call ${location.origin} voice.wav --protocol whip`);
setText(part("command-twilio"), `streamtrace call ${location.origin} voice.wav --protocol twilio`);
addEventListener("hashchange", select);
addEventListener("popstate", select);
addEventListener("keydown", (key) => {
  if (key.key === "Escape" && selectedId) leave();
});
setInterval(announce, ANNOUNCE_EVERY_MS);
setInterval(() => calls.size && show(), 1_000); // durations go on between frames
follow(() => "v1/calls", takeFrame, linkState);
select();
show();
