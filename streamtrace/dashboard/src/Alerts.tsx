// The alert queue, worked by keyboard: j and k move, a acknowledges, e escalates, d dismisses.

import { signal } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import { act, alertById, areServed, DISPOSITIONS, isOpen, queue, stateFilter, type Action, type Alert, type Disposition } from "./alerts";
import { HttpError } from "./api";
import { CallPage } from "./CallPage";
import { minutes, percent, plain, seconds, wallClock } from "./format";
import { go, openAlert } from "./route";

const KEY = "streamtrace-operator";
const operator = signal(localStorage.getItem(KEY) ?? "");
const problem = signal("");
const closing = signal<{ alert: Alert; action: "dismiss" | "resolve" } | null>(null);

/** What a key does in this view; true where it did something. */
export function alertKey(key: string): boolean {
  const alerts = queue.value;
  const at = alerts.findIndex((alert) => alert.id === openAlert.value);
  const alert = alerts[at];
  switch (key) {
    case "j":
    case "k": {
      const next = alerts[Math.min(alerts.length - 1, Math.max(0, at + (key === "j" ? 1 : -1)))];
      if (next) go({ alert: next.id }, { replace: true });
      return Boolean(next);
    }
    case "a":
      return perform(alert, "ack");
    case "e":
      return perform(alert, "escalate");
    case "d":
      return perform(alert, "dismiss");
    default:
      return false;
  }
}

function perform(alert: Alert | undefined, action: Action): boolean {
  if (!alert || !isOpen(alert)) return false;
  if (action === "dismiss" || action === "resolve") closing.value = { alert, action };
  else void send(alert, action, {});
  return true;
}

async function send(alert: Alert, action: Action, body: Record<string, string>): Promise<boolean> {
  problem.value = "";
  try {
    await act(alert, action, { actor: operator.value || "someone at the dashboard", ...body });
    return true;
  } catch (cause) {
    const isConflict = cause instanceof HttpError && (cause.status === 409 || cause.status === 412);
    problem.value = isConflict
      ? `Someone else was first: ${(cause as Error).message}. You see the alert as it is now.`
      : `That did not work: ${(cause as Error).message}`;
    return false;
  }
}

export function Alerts() {
  const alerts = queue.value;
  const open = alertById(openAlert.value);
  if (!areServed.value) {
    return <section class="calls"><div class="empty"><p class="lead">This server keeps no alerts.</p></div></section>;
  }
  return (
    <>
      <section class="calls queue" aria-labelledby="alerts-title">
        <h2 id="alerts-title" class="unseen">Alerts</h2>
        <form class="filters" onSubmit={(event) => event.preventDefault()}>
          <label>
            <span>State</span>
            <select value={stateFilter.value} onChange={(event) => go({ alert_state: event.currentTarget.value }, { replace: true })}>
              <option value="">open</option>
              {["new", "acknowledged", "escalated", "dismissed", "resolved", "all"].map((state) => <option key={state}>{state}</option>)}
            </select>
          </label>
          <label class="find">
            <span>Your name</span>
            <input
              value={operator.value}
              placeholder="stands behind what you decide"
              onInput={(event) => {
                operator.value = event.currentTarget.value;
                localStorage.setItem(KEY, operator.value);
              }}
            />
          </label>
        </form>
        {problem.value && <p class="stale" role="alert">{problem.value}</p>}
        {alerts.length === 0 && <div class="empty"><p class="lead">No alert to work.</p><p class="hint">An alert opens when the evidence of a whole call, not of a single score, speaks for a synthetic voice.</p></div>}
        <ol class="alerts" aria-label="Alerts, most urgent first">
          {alerts.map((alert) => <Item key={alert.id} alert={alert} />)}
        </ol>
      </section>
      {open && <Open alert={open} />}
      {closing.value && <Closing {...closing.value} />}
    </>
  );
}

function Item({ alert }: { alert: Alert }) {
  const isSelected = openAlert.value === alert.id;
  const host = useRef<HTMLLIElement>(null);
  useEffect(() => {
    if (isSelected) host.current?.scrollIntoView({ block: "nearest" });
  }, [isSelected]);
  return (
    <li ref={host} class="alert" data-alert={alert.id} data-state={alert.state} data-severity={alert.severity} data-selected={isSelected}>
      <button type="button" aria-current={isSelected} onClick={() => go({ alert: alert.id })}>
        <span class="severity">{alert.severity}</span>
        <strong>{alert.external_id ?? alert.call_id}</strong>
        <span class="facts">{alert.leg}{alert.line ? ` · ${alert.line}` : ""} · {percent(alert.spoof_probability)} · {wallClock(alert.opened)}</span>
        <span class="state">{plain(alert.state)}{alert.assignee ? ` · ${alert.assignee}` : ""}</span>
      </button>
    </li>
  );
}

function Open({ alert }: { alert: Alert }) {
  const button = (action: Action, words: string, key?: string) => (
    <button type="button" disabled={!isOpen(alert)} aria-keyshortcuts={key} onClick={() => perform(alert, action)}>
      {words}{key && <kbd>{key}</kbd>}
    </button>
  );
  return (
    <div class="opened">
      <section class="detail" aria-labelledby="alert-title">
        <div class="heading">
          <h2 id="alert-title">{plain(alert.severity)} alert: {alert.external_id ?? alert.call_id}, {alert.leg}</h2>
          <button type="button" class="close" aria-keyshortcuts="Escape" onClick={() => go({ alert: "" })}>Close</button>
        </div>
        <p class="reason">{alert.reason}</p>
        {alert.change_ms !== null && <p class="note">Another voice began at {minutes(alert.change_ms)}.</p>}
        <div class="actions" role="toolbar" aria-label="Triage">
          {button("ack", "Acknowledge", "a")}
          {button("escalate", "Escalate", "e")}
          {button("dismiss", "Dismiss", "d")}
          {button("resolve", "Resolve")}
          <button type="button" disabled={!isOpen(alert) || !operator.value} onClick={() => void send(alert, "assign", { assignee: operator.value })}>Take it</button>
        </div>
        {alert.segments.length > 0 && (
          <>
            <h3>Segments that spoke for it</h3>
            <ul class="segments">
              {alert.segments.map((segment) => (
                <li key={segment.start_ms}>{minutes(segment.start_ms)} to {minutes(segment.end_ms)} <span class="figure">{percent(segment.spoof_probability)}</span></li>
              ))}
            </ul>
          </>
        )}
        <p class="facts">{seconds(alert.speech_ms)} of speech · {alert.disposition ? DISPOSITIONS[alert.disposition] : "no disposition yet"}</p>
        <h3>What was done</h3>
        <ol class="events">
          {alert.audit.map((entry) => (
            <li key={`${entry.at} ${entry.action}`}>
              <time dateTime={entry.at}>{wallClock(entry.at)}</time>
              <span>{entry.actor}: {plain(entry.action)}{entry.note ? `: ${entry.note}` : ""}</span>
            </li>
          ))}
        </ol>
      </section>
      <CallPage id={alert.call_id} onClose={() => go({ alert: "" })} />
    </div>
  );
}

function Closing({ alert, action }: { alert: Alert; action: "dismiss" | "resolve" }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [note, setNote] = useState("");
  const [disposition, setDisposition] = useState<Disposition>(action === "dismiss" ? "false_positive" : "true_positive");
  useEffect(() => dialog.current?.showModal(), []);
  const done = () => (closing.value = null);
  return (
    <dialog ref={dialog} aria-labelledby="closing-title" onClose={done}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void send(alertById(alert.id) ?? alert, action, { disposition, ...(note ? { note } : {}) });
          dialog.current?.close();
        }}
      >
        <h2 id="closing-title">{action === "dismiss" ? "Dismiss" : "Resolve"} {alert.external_id ?? alert.call_id}</h2>
        <label>
          <span>It was</span>
          <select value={disposition} onChange={(event) => setDisposition(event.currentTarget.value as Disposition)}>
            {Object.entries(DISPOSITIONS).map(([value, words]) => <option key={value} value={value}>{words}</option>)}
          </select>
        </label>
        <label>
          <span>Note{action === "dismiss" ? " (needed)" : ""}</span>
          <textarea rows={3} required={action === "dismiss"} value={note} onInput={(event) => setNote(event.currentTarget.value)} />
        </label>
        <div class="actions">
          <button type="submit">{action === "dismiss" ? "Dismiss" : "Resolve"}</button>
          <button type="button" onClick={() => dialog.current?.close()}>Cancel</button>
        </div>
      </form>
    </dialog>
  );
}
