// The alert queue: what the feed told, what the viewer may do, and what others did meanwhile.

import { computed, effect, signal } from "@preact/signals";
import { address, getJson, detailOf, HttpError, type CloudEvent, type LegName, type Share } from "./api";
import { follow } from "./link";
import { param } from "./route";
import { ring } from "./sound";

export type AlertState = "new" | "acknowledged" | "escalated" | "dismissed" | "resolved";
export type Disposition = "true_positive" | "false_positive" | "benign_synthetic" | "inconclusive";
export type Action = "ack" | "assign" | "escalate" | "dismiss" | "resolve";

export interface Evidence {
  log_evidence: number;
  peak_log_evidence: number;
  bar: number;
  promised: number;
  is_calibrated: boolean;
  onset_ms: number;
  is_change: boolean; // somebody else spoke before
  speech_ms: number;
  now_ms: number;
  spoof_probability: number;
  novelty: number;
  unknown: number;
  segments: { start_ms: number; end_ms: number; speech_ms: number; spoof_probability: number; gain: number; source: string | null; share: number }[];
  attribution: Share[];
  named: { from_ms: number; source: string; family: string | null; probability: number }[];
  windows: { start_ms: number; end_ms: number; sources: Share[] }[];
  quality: {
    codec: string; rate_hz: number; loss_ratio: number; concealed_ms: number; degraded_ms: number;
    clipped_ratio: number | null; bandwidth_hz: number | null; // null: nobody listened, or too little was said
  };
  model: { id: string };
  reason: string;
}

export interface Alert {
  id: string;
  version: number;
  call_id: string;
  external_id: string | null;
  line: string | null;
  leg: LegName;
  policy: string;
  state: AlertState;
  severity: "low" | "medium" | "high" | "critical";
  is_withdrawn: boolean;
  is_call_over: boolean;
  assignee: string | null;
  disposition: Disposition | null;
  note: string | null;
  opened_at: string;
  changed_at: string;
  evidence: Evidence;
}

export interface AuditEntry {
  version: number;
  at: string;
  actor: string;
  action: string;
  after: AlertState;
  assignee: string | null;
  disposition: Disposition | null;
  note: string | null;
}

interface Page { alerts: Alert[]; next: string | null; sequence: string; feed: string }

export const DISPOSITIONS: Record<Disposition, string> = {
  true_positive: "Synthetic voice, harmful",
  benign_synthetic: "Synthetic voice, harmless",
  false_positive: "Human voice",
  inconclusive: "Cannot be told",
};

const OPEN: AlertState[] = ["new", "acknowledged", "escalated"];
const CLOSED: AlertState[] = ["dismissed", "resolved"];
const A_PAGE = 500;
const MOST_CLOSED_SHOWN = 500;
const RING_WITHIN_MS = 60_000;

const all = signal<ReadonlyMap<string, Alert>>(new Map());
export const areServed = signal(true); // false where this server has no alerts
export const stateFilter = param("alert_state");
export const opened = signal<Alert | null>(null); // the newest, as it came

const SEVERITY = { critical: 3, high: 2, medium: 1, low: 0 };
export const isOpen = (alert: Alert): boolean => OPEN.includes(alert.state);

/** What the server would let a person do. */
export function mayDo(alert: Alert, action: Action): boolean {
  if (action === "ack") return alert.state === "new";
  if (action === "escalate") return alert.state === "new" || alert.state === "acknowledged";
  return isOpen(alert);
}

export const queue = computed(() =>
  [...all.value.values()]
    .filter((alert) => (stateFilter.value === "all" ? true : stateFilter.value ? alert.state === stateFilter.value : isOpen(alert)))
    .sort((one, other) =>
      Number(isOpen(other)) - Number(isOpen(one)) ||
      SEVERITY[other.severity] - SEVERITY[one.severity] ||
      Date.parse(other.opened_at) - Date.parse(one.opened_at)),
);
export const waiting = computed(() => [...all.value.values()].filter((alert) => alert.state === "new").length);
export const alertById = (id: string): Alert | undefined => all.value.get(id);

function put(...alerts: Alert[]): void {
  const next = new Map(all.peek());
  for (const alert of alerts) {
    const known = next.get(alert.id);
    if (!known || known.version < alert.version) next.set(alert.id, alert); // else an older word, come late
  }
  const closed = [...next.values()].filter((alert) => !isOpen(alert));
  closed.sort((one, other) => Date.parse(one.changed_at) - Date.parse(other.changed_at));
  for (const alert of closed.slice(0, -MOST_CLOSED_SHOWN)) next.delete(alert.id);
  all.value = next;
}

const listed = (states: AlertState[], after = ""): Promise<Page> => {
  const query = new URLSearchParams(states.map((state) => ["state", state]));
  query.set("limit", String(A_PAGE));
  if (after) query.set("after", after);
  return getJson<Page>(`v1/alerts?${query.toString()}`);
};

/** Show what is open, then follow the feed from there for as long as the page is open. */
export async function followAlerts(): Promise<void> {
  let sequence = "0";
  let feed = ""; // whose sequence that is
  try {
    let page = await listed(OPEN);
    ({ sequence, feed } = page);
    put(...page.alerts);
    while (page.next) {
      page = await listed(OPEN, page.next);
      put(...page.alerts);
    }
  } catch (cause) {
    if (cause instanceof HttpError && cause.status === 404) {
      areServed.value = false;
      return;
    }
    setTimeout(() => void followAlerts(), 3_000); // a server that is not there yet
    return;
  }
  let wasLost = false;
  const stop = follow<CloudEvent>(
    () => `v1/alerts?after=${sequence}`,
    (event) => {
      if (event.sequence && event.sequence > sequence) sequence = event.sequence;
      if (!event.type.startsWith("alert.")) return;
      const data = event.data as unknown as Alert & { alert_id: string };
      const alert: Alert = { ...data, id: data.alert_id };
      put(alert);
      if (event.type !== "alert.opened.v1" || Date.now() - Date.parse(event.time) > RING_WITHIN_MS) return;
      opened.value = alert;
      ring();
    },
    (state) => {
      if (state === "lost") wasLost = true;
      if (state !== "live" || !wasLost) return;
      wasLost = false;
      void listed(OPEN).then((page) => {
        if (page.feed === feed && page.sequence >= sequence) return;
        stop(); // a server that has forgotten what it told: begin anew
        all.value = new Map();
        void followAlerts();
      }, () => undefined);
    },
  );
}

/** What is closed is looked up when it is asked for. */
effect(() => {
  if (stateFilter.value && stateFilter.value !== "new") {
    void listed(CLOSED).then((page) => put(...page.alerts), () => undefined);
  }
});

/** All that was done to an alert, oldest first. */
export async function auditOf(id: string): Promise<AuditEntry[]> {
  const trail = await getJson<{ entries: AuditEntry[] }>(`v1/alerts/${encodeURIComponent(id)}/audit`);
  return trail.entries;
}

/** Someone else was first; `last` is what they did. */
export class Conflict extends Error {
  constructor(readonly last: AuditEntry | undefined, detail: string) {
    super(detail);
  }
}

/** Change an alert that nobody else has changed since; a conflict brings what they did. */
export async function act(alert: Alert, action: Action, body: Record<string, string>): Promise<void> {
  const answer = await fetch(address(`v1/alerts/${encodeURIComponent(alert.id)}/${action}`), {
    method: "POST",
    headers: { "content-type": "application/json", "if-match": `"${alert.version}"` },
    body: JSON.stringify(body),
  });
  if (answer.ok) {
    put((await answer.json()) as Alert);
    return;
  }
  const detail = await detailOf(answer);
  if (answer.status !== 409 && answer.status !== 412) throw new HttpError(answer.status, detail);
  put(await getJson<Alert>(`v1/alerts/${encodeURIComponent(alert.id)}`));
  throw new Conflict((await auditOf(alert.id)).at(-1), detail);
}
