// The alert queue, worked by keyboard: j and k move, a acknowledges, e escalates, d dismisses.

import { signal } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import {
  act, alertById, areServed, auditOf, Conflict, DISPOSITIONS, isOpen, mayDo, queue, stateFilter,
  type Action, type Alert, type AuditEntry, type Disposition,
} from "./alerts";
import { CallPage } from "./CallPage";
import { Exhibits } from "./Exhibits";
import { percent, plain, wallClock } from "./format";
import { go, openAlert } from "./route";
import { isSignedIn, mayDecide, operator, typeName } from "./who";

const DONE: Record<string, string> = {
  open: "opened it", update: "more evidence", withdraw: "the evidence fell back", ack: "acknowledged", assign: "assigned it",
  escalate: "escalated", dismiss: "dismissed", resolve: "resolved", play: "listened to it",
};
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
  if (!alert || !mayDecide.value || !mayDo(alert, action)) return false;
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
    problem.value = cause instanceof Conflict ? whoWasFirst(cause) : `That did not work: ${(cause as Error).message}`;
    return false;
  }
}

function whoWasFirst({ last, message }: Conflict): string {
  if (!last) return `Someone else was first: ${message}.`;
  if (last.actor === "policy") return "The call told more of it meanwhile: look again, then decide.";
  return `Someone else was first: ${last.actor} made it ${plain(last.after)} at ${wallClock(last.at)}. You see the alert as it is now.`;
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
          {!isSignedIn.value && (
            <label class="find">
              <span>Your name</span>
              <input value={operator.value} placeholder="stands behind what you decide" onInput={(event) => typeName(event.currentTarget.value)} />
            </label>
          )}
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
        <span class="facts">{alert.leg}{alert.line ? ` · ${alert.line}` : ""} · {percent(alert.evidence.spoof_probability)} · {wallClock(alert.opened_at)}</span>
        <span class="state">{plain(alert.state)}{alert.assignee ? ` · ${alert.assignee}` : ""}</span>
      </button>
    </li>
  );
}

function Open({ alert }: { alert: Alert }) {
  const button = (action: Action, words: string, key?: string) => (
    <button type="button" disabled={!mayDecide.value || !mayDo(alert, action)} aria-keyshortcuts={key} onClick={() => perform(alert, action)}>
      {words}{key && <kbd>{key}</kbd>}
    </button>
  );
  return (
    <div class="opened">
      <section class="detail" aria-labelledby="alert-title">
        <div class="heading">
          <h2 id="alert-title"><span class="severity">{alert.severity}</span> alert: {alert.external_id ?? alert.call_id}, {alert.leg}</h2>
          <button type="button" class="close" aria-keyshortcuts="Escape" onClick={() => go({ alert: "" })}>Close</button>
        </div>
        <p class="facts">
          {plain(alert.state)}{alert.assignee ? `, with ${alert.assignee}` : ""} · opened {wallClock(alert.opened_at)} · {alert.is_call_over ? "the call is over" : "the call is live"} · policy {alert.policy}
        </p>
        <p class="reason">{alert.evidence.reason}</p>
        {alert.is_withdrawn && <p class="note">The evidence fell back since: what came later sounds human.</p>}
        {alert.disposition && <p class="note">{DISPOSITIONS[alert.disposition]}{alert.note ? `: ${alert.note}` : ""}</p>}
        <div class="actions" role="toolbar" aria-label="Triage">
          {button("ack", "Acknowledge", "a")}
          {button("escalate", "Escalate", "e")}
          {button("dismiss", "Dismiss", "d")}
          {button("resolve", "Resolve")}
          <button type="button" disabled={!mayDecide.value || !isOpen(alert) || !operator.value} onClick={() => void send(alert, "assign", { assignee: operator.value })}>Take it</button>
        </div>
        <Exhibits alert={alert} />
        <h3>What was done</h3>
        <Trail alert={alert} />
      </section>
      <CallPage id={alert.call_id} onClose={() => go({ alert: "" })} />
    </div>
  );
}

/** Who did what to it; asked anew whenever it has changed. */
function Trail({ alert: { id, version } }: { alert: Alert }) {
  const [entries, setEntries] = useState<AuditEntry[]>([]);
  useEffect(() => {
    let isWanted = true;
    auditOf(id).then((found) => isWanted && setEntries(found), () => undefined);
    return () => {
      isWanted = false;
    };
  }, [id, version]);
  return (
    <ol class="events trail" aria-label="What was done">
      {entries.map((entry) => (
        <li key={entry.version}>
          <time dateTime={entry.at}>{wallClock(entry.at)}</time>
          <span>{entry.actor}: {DONE[entry.action] ?? plain(entry.action)}{entry.action === "assign" ? ` to ${entry.assignee}` : ""}{entry.note ? `: ${entry.note}` : ""}</span>
        </li>
      ))}
    </ol>
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
