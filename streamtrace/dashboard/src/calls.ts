// All calls that the feed told of: ordered by risk, filtered as the address says.

import { computed, signal } from "@preact/signals";
import type { CallView, LegView, Verdict } from "./api";
import { getJson } from "./api";
import { follow, type LinkState } from "./link";
import { param } from "./route";

const MOST_CALLS = 5_000; // older ended calls leave the page, not the server
const HISTORY_PAGE = 200;

export interface Call extends CallView {
  name: string;
  started_at: number;
  ended_at: number | null;
  worst: LegView | null; // the leg to worry about
  risk: number; // what calls are ordered by, from 0 to 1
}

const all = signal<ReadonlyMap<string, Call>>(new Map());
export const link = signal<LinkState>("connecting");
export const heardAt = signal<Date | null>(null);
export const historyNext = signal<string | null>(null);

export const filters = {
  state: param("state"),
  verdict: param("verdict"),
  line: param("line"),
  protocol: param("protocol"),
  words: param("q"),
};

const WEIGHT: Record<Verdict, number> = { synthetic: 3, inconclusive: 2, bonafide: 1, no_speech: 0 };

/** A leg's place in the order: its verdict first, then how sure it is. */
function riskOf(leg: LegView): number {
  const decision = leg.decision;
  return decision ? (WEIGHT[decision.verdict] + decision.spoof_probability) / 4 : 0;
}

function read(raw: CallView): Call {
  const worst = raw.legs.reduce<LegView | null>(
    (found, leg) => (found === null || riskOf(leg) > riskOf(found) ? leg : found),
    null,
  );
  return {
    ...raw,
    name: raw.external_id ?? raw.id,
    started_at: Date.parse(raw.started),
    ended_at: raw.ended ? Date.parse(raw.ended) : null,
    worst,
    risk: worst ? riskOf(worst) : 0,
  };
}

/** Live before ended; the riskiest live call and the newest ended one first. */
function before(one: Call, other: Call): number {
  const live = Number(other.state === "live") - Number(one.state === "live");
  if (live) return live;
  if (one.state === "live" && one.risk !== other.risk) return other.risk - one.risk;
  return other.started_at - one.started_at;
}

export const ordered = computed(() => [...all.value.values()].sort(before));

export const shown = computed(() => {
  const words = filters.words.value.toLowerCase().split(/\s+/).filter(Boolean);
  return ordered.value.filter((call) => {
    if (filters.state.value && call.state !== filters.state.value) return false;
    if (filters.line.value && call.line !== filters.line.value) return false;
    if (filters.protocol.value && call.protocol !== filters.protocol.value) return false;
    const verdict = filters.verdict.value;
    if (verdict && !call.legs.some((leg) => leg.decision?.verdict === verdict)) return false;
    const text = `${call.name} ${call.id} ${call.line ?? ""} ${call.protocol} ${call.legs
      .flatMap((leg) => leg.decision?.attribution.slice(0, 1) ?? [])
      .map((share) => share.source)
      .join(" ")}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
});

export const totals = computed(() => {
  const live = ordered.value.filter((call) => call.state === "live");
  const of = (verdict: Verdict) => live.filter((call) => call.worst?.decision?.verdict === verdict).length;
  return { live: live.length, synthetic: of("synthetic"), inconclusive: of("inconclusive"), known: ordered.value.length };
});

export const choices = computed(() => ({
  lines: [...new Set(ordered.value.map((call) => call.line).filter((line) => line !== null))].sort(),
  protocols: [...new Set(ordered.value.map((call) => call.protocol))].sort(),
}));

export const callById = (id: string): Call | undefined => all.value.get(id);

function put(calls: CallView[], known: ReadonlyMap<string, Call>): void {
  const next = new Map(known);
  for (const raw of calls) next.set(raw.id, read(raw));
  if (next.size > MOST_CALLS) {
    const oldest = [...next.values()].sort(before).slice(MOST_CALLS);
    for (const call of oldest) next.delete(call.id);
  }
  all.value = next;
}

/** Follow the feed for as long as the page is open. */
export function followCalls(): void {
  let isSnapshot = true; // the first frame of a link tells all calls, later ones what changed
  follow<{ calls?: CallView[] }>(
    () => "v1/calls",
    (frame) => {
      heardAt.value = new Date();
      if (!frame.calls) return; // a heartbeat
      put(frame.calls, isSnapshot ? new Map() : all.value); // a restarted server knows others
      isSnapshot = false;
    },
    (state) => {
      isSnapshot = true;
      link.value = state;
    },
  );
}

/** Older calls that the feed does not tell of. */
export async function loadHistory(): Promise<void> {
  const oldest = ordered.value.findLast((call) => call.state === "ended");
  const after = historyNext.value ?? oldest?.id;
  const query = new URLSearchParams({ state: "ended", limit: String(HISTORY_PAGE) });
  if (after) query.set("after", after);
  const page = await getJson<{ calls: CallView[]; next: string | null }>(`v1/calls?${query}`);
  historyNext.value = page.next;
  put(page.calls, all.value);
}
