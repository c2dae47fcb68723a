// The dashboard: who calls, how likely each voice is synthetic, and what is to be done about it.

import { signal } from "@preact/signals";
import { render } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { alertKey, Alerts } from "./Alerts";
import { areServed, followAlerts, opened, waiting } from "./alerts";
import { hangUp, placeBrowserCall, placing } from "./browserCall";
import { CallList } from "./CallList";
import { CallPage } from "./CallPage";
import { callById, followCalls, heardAt, link, ordered, shown, totals } from "./calls";
import { percent, VERDICTS, wallClock } from "./format";
import { go, openAlert, openCall, view, type View } from "./route";
import { isAudible, toggleSound } from "./sound";
import { admit, Gate } from "./SignIn";
import { Wall } from "./Wall";
import "./style.css";

const ANNOUNCE_EVERY_MS = 5_000;
const isHelpOpen = signal(false);
const announcement = signal("");

function App() {
  const isLost = link.value === "lost";
  const isOpen = view.value === "calls" ? Boolean(openCall.value) : view.value === "alerts" && Boolean(openAlert.value);
  return (
    <div class="page" data-stale={isLost} data-view={view.value}>
      <a class="skip" href="#main">Skip to the content</a>
      <Top />
      <p class="stale" role="status" hidden={!isLost}>
        {isLost && `The connection to the server is lost. ${heardAt.value ? `These are the decisions of ${wallClock(heardAt.value.toISOString())}.` : ""} Trying again…`}
      </p>
      <p class="unseen" aria-live="polite">{announcement.value}</p>
      <main id="main" data-open={isOpen} tabIndex={-1}>
        {view.value === "calls" && <CallList />}
        {view.value === "calls" && openCall.value && <CallPage id={openCall.value} onClose={leave} />}
        {view.value === "alerts" && <Alerts />}
        {view.value === "wall" && <Wall />}
      </main>
      <footer>
        <p>Probabilities are estimates of a model with known errors, not proof. See the model card.</p>
        <p><a href="openapi.json">API</a> <a href="metrics">metrics</a></p>
      </footer>
      {isHelpOpen.value && <Help />}
    </div>
  );
}

function Top() {
  const counts = totals.value;
  const tab = (to: View, words: string, count?: number) => (
    <a
      href={to === "calls" ? "?" : `?view=${to}`}
      aria-current={view.value === to ? "page" : undefined}
      onClick={(event) => {
        if (event.metaKey || event.ctrlKey || event.shiftKey) return;
        event.preventDefault();
        go({ view: to === "calls" ? "" : to });
      }}
    >
      {words}{count ? <span class="count">{count}</span> : null}
    </a>
  );
  return (
    <header class="top">
      <div class="brand">
        <img src="./static/icon.svg" alt="" width="30" height="30" />
        <h1>StreamTrace</h1>
      </div>
      <nav aria-label="Views">{tab("calls", "Calls")}{areServed.value && tab("alerts", "Alerts", waiting.value)}{tab("wall", "Wall")}</nav>
      <dl class="tallies" aria-label="Totals">
        <div><dt>live</dt><dd id="tally-live">{counts.live}</dd></div>
        <div class="is-synthetic"><dt>synthetic</dt><dd id="tally-synthetic">{counts.synthetic}</dd></div>
      </dl>
      <BrowserCall />
      <button type="button" class="plain" aria-pressed={isAudible.value} onClick={toggleSound}>Sound {isAudible.value ? "on" : "off"}</button>
      <button type="button" class="plain" aria-keyshortcuts="?" onClick={() => (isHelpOpen.value = true)}>Keys</button>
      <p id="link" class="link" data-state={link.value}><span class="dot" /><span class="words">{link.value === "lost" ? "reconnecting" : link.value}</span></p>
    </header>
  );
}

function BrowserCall() {
  const state = placing.value;
  if (state.is === "live") {
    return <button type="button" class="primary" onClick={() => void hangUp()}>Hang up</button>;
  }
  return (
    <span class="browser-call">
      <button type="button" class="primary" disabled={state.is === "placing"} onClick={() => void placeBrowserCall()}>
        {state.is === "placing" ? "Calling…" : "Call from this browser"}
      </button>
      {state.is === "failed" && <span class="note" role="alert">No call: {state.why}</span>}
    </span>
  );
}

function Help() {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  const keys = [
    ["j, k", "next and previous alert or call"],
    ["Enter", "open"],
    ["a", "acknowledge the alert"],
    ["e", "escalate it"],
    ["d", "dismiss it, with a note"],
    ["/", "find"],
    ["Escape", "close what is open"],
    ["?", "this list"],
  ];
  return (
    <dialog ref={dialog} aria-labelledby="help-title" onClose={() => (isHelpOpen.value = false)}>
      <h2 id="help-title">Keys</h2>
      <dl class="keys">{keys.map(([key, words]) => <div key={key}><dt><kbd>{key}</kbd></dt><dd>{words}</dd></div>)}</dl>
      <form method="dialog"><button>Close</button></form>
    </dialog>
  );
}

function leave(): void {
  const before = openCall.peek();
  go({ call: "" });
  requestAnimationFrame(() => document.querySelector<HTMLElement>(`[data-call="${CSS.escape(before)}"] button`)?.focus());
}

/** j and k in the list of calls. */
function moveCall(by: number): void {
  const calls = shown.value;
  const at = calls.findIndex((call) => call.id === openCall.value);
  const next = calls[Math.min(calls.length - 1, Math.max(0, at + by))];
  if (next) go({ call: next.id }, { replace: at >= 0 });
}

addEventListener("keydown", (event) => {
  const target = event.target as HTMLElement;
  if (event.metaKey || event.ctrlKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (target.closest("input, select, textarea")) return;
  if (event.key === "?") isHelpOpen.value = true;
  else if (event.key === "/") document.getElementById("find")?.focus();
  else if (event.key === "Escape" && openCall.value) leave();
  else if (event.key === "Escape" && openAlert.value) go({ alert: "" });
  else if (view.value === "alerts" && alertKey(event.key)) { /* done */ }
  else if (view.value === "calls" && (event.key === "j" || event.key === "k")) moveCall(event.key === "j" ? 1 : -1);
  else return;
  event.preventDefault();
});

/** Tell changed verdicts and new alerts to screen readers, gathered, at most every few seconds. */
const announced = new Map<string, string>();
let announcedAlert = "";
setInterval(() => {
  const changes: string[] = [];
  const alert = opened.peek();
  if (alert && alert.id !== announcedAlert) {
    announcedAlert = alert.id;
    changes.push(`New ${alert.severity} alert: ${alert.external_id ?? alert.call_id}, ${alert.leg}`);
  }
  for (const call of ordered.peek()) {
    for (const { leg, decision } of call.legs) {
      const key = `${call.id} ${leg}`;
      if (!decision || announced.get(key) === decision.verdict) continue;
      announced.set(key, decision.verdict);
      if (call.state === "live") changes.push(`${call.name}, ${leg}: ${VERDICTS[decision.verdict]}, ${percent(decision.spoof_probability)}`);
    }
  }
  for (const key of announced.keys()) if (!callById(key.split(" ")[0] ?? "")) announced.delete(key);
  if (changes.length > 3) changes.splice(3, Infinity, `and ${changes.length - 3} more`);
  if (changes.length) announcement.value = changes.join(". ");
}, ANNOUNCE_EVERY_MS);

admit(() => {
  followCalls();
  void followAlerts();
});
const host = document.getElementById("app");
if (host) render(<Gate><App /></Gate>, host);
