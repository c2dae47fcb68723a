// The alert queue: what the feed told, what the viewer may do, and what others did meanwhile.

import { computed, signal } from "@preact/signals";
import { address, detailOf, HttpError, type CloudEvent, type Share } from "./api";
import { follow } from "./link";
import { param } from "./route";
import { ring } from "./sound";

export type AlertState = "new" | "acknowledged" | "escalated" | "dismissed" | "resolved";
export type Disposition = "true_positive" | "false_positive" | "benign_synthetic" | "inconclusive";
export type Action = "ack" | "assign" | "escalate" | "dismiss" | "resolve";

export interface Alert {
  id: string;
  call_id: string;
  external_id: string | null;
  line: string | null;
  leg: string;
  state: AlertState;
  severity: "low" | "medium" | "high" | "critical";
  version: number;
  opened: string;
  updated: string;
  closed: string | null;
  assignee: string | null;
  disposition: Disposition | null;
  spoof_probability: number;
  attribution: Share[];
  reason: string;
  speech_ms: number;
  change_ms: number | null; // where another voice began, if one did
  segments: { start_ms: number; end_ms: number; spoof_probability: number }[];
  audit: { at: string; actor: string; action: string; note: string | null }[];
}

export const DISPOSITIONS: Record<Disposition, string> = {
  true_positive: "Synthetic voice, harmful",
  benign_synthetic: "Synthetic voice, harmless",
  false_positive: "Human voice",
  inconclusive: "Cannot be told",
};

const all = signal<ReadonlyMap<string, Alert>>(new Map());
export const areServed = signal(true); // false where this server has no alerts
export const stateFilter = param("alert_state");

const SEVERITY = { critical: 3, high: 2, medium: 1, low: 0 };
export const isOpen = (alert: Alert) => alert.state !== "dismissed" && alert.state !== "resolved";

export const queue = computed(() =>
  [...all.value.values()]
    .filter((alert) => (stateFilter.value === "all" ? true : stateFilter.value ? alert.state === stateFilter.value : isOpen(alert)))
    .sort((one, other) =>
      Number(isOpen(other)) - Number(isOpen(one)) ||
      SEVERITY[other.severity] - SEVERITY[one.severity] ||
      Date.parse(other.opened) - Date.parse(one.opened)),
);
export const waiting = computed(() => [...all.value.values()].filter((alert) => alert.state === "new").length);
export const alertById = (id: string): Alert | undefined => all.value.get(id);

function put(alert: Alert): void {
  const known = all.value.get(alert.id);
  if (known && known.version > alert.version) return; // an older word about it, delivered late
  all.value = new Map(all.value).set(alert.id, alert);
}

/** Follow the feed for as long as the page is open. */
export function followAlerts(): void {
  let sequence = "";
  const stop = follow<CloudEvent>(
    () => `v1/alerts?after=${sequence || 0}`,
    (event) => {
      if (event.sequence) sequence = event.sequence > sequence ? event.sequence : sequence;
      if (!event.type.startsWith("alert.")) return;
      put(event.data as unknown as Alert);
      if (event.type === "alert.opened.v1" && Date.now() - Date.parse(event.time) < 60_000) ring();
    },
    (state) => {
      if (state !== "lost") return;
      fetch(address("v1/alerts?limit=1")).then(
        (answer) => {
          if (answer.status !== 404) return;
          areServed.value = false;
          stop();
        },
        () => undefined,
      );
    },
  );
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
  if (answer.status === 409 || answer.status === 412) {
    const fresh = await fetch(address(`v1/alerts/${encodeURIComponent(alert.id)}`));
    if (fresh.ok) put((await fresh.json()) as Alert);
  }
  throw new HttpError(answer.status, detail);
}
