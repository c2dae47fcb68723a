// One call's story, gathered from its events: what each leg's pictures are drawn from.

import type { CloudEvent, LegName, Score } from "./api";

export interface Point { at_ms: number; call: number; window: number | null; is_speech: boolean; verdict: Score["verdict"]; shares: Map<string, number> }
export interface Gap { start_ms: number; end_ms: number; cause: string }

export interface LegStory {
  name: LegName;
  codec: string;
  points: Point[];
  gaps: Gap[];
  latest: Score | null;
}

export interface Story {
  name: string;
  line: string | null;
  protocol: string;
  started: string | null;
  ended: string | null;
  reason: string | null;
  error: string | null;
  hasGap: boolean; // the first events are no longer held
  legs: LegStory[];
  log: CloudEvent[]; // the latest, newest first
  sequence: string;
}

const EVENTS_KEPT = 60;
const MOST_POINTS = 20_000; // hours of call

export const emptyStory = (name: string): Story => ({
  name, line: null, protocol: "", started: null, ended: null, reason: null, error: null,
  hasGap: false, legs: [], log: [], sequence: "",
});

/** The story with one more event; the same object where the event was there already. */
export function told(story: Story, event: CloudEvent): Story {
  if (event.type === "stream.heartbeat.v1") return story;
  const sequence = event.sequence ?? "";
  if (event.type !== "stream.gap.v1" && sequence && sequence <= story.sequence) return story; // twice
  const next = {
    ...story,
    sequence: sequence > story.sequence ? sequence : story.sequence,
    log: [event, ...story.log].slice(0, EVENTS_KEPT),
  };
  const data = event.data as Record<string, any>;
  switch (event.type) {
    case "call.started.v1":
      return { ...next, name: data.external_id ?? story.name, line: data.line, protocol: data.protocol, started: event.time };
    case "call.media.v1":
      return withLeg(next, data.leg, (leg) => ({ ...leg, codec: `${data.codec} ${data.rate_hz / 1000} kHz` }));
    case "call.gap.v1":
      return withLeg(next, data.leg, (leg) => ({ ...leg, gaps: [...leg.gaps, data as Gap] }));
    case "call.score.v1":
      return withLeg(next, data.leg, (leg) => scored(leg, event.data as unknown as Score));
    case "call.ended.v1":
      return { ...next, ended: event.time, reason: data.reason, error: data.error };
    case "stream.gap.v1":
      return { ...next, hasGap: true };
    default:
      return next;
  }
}

function scored(leg: LegStory, score: Score): LegStory {
  const point: Point = {
    at_ms: score.segment.end_ms,
    call: score.spoof_probability,
    window: score.is_final ? null : (score.window?.spoof_probability ?? null),
    is_speech: score.is_final || score.segment.speech_ms > 0,
    verdict: score.verdict,
    shares: new Map(score.attribution.map((share) => [share.source, share.probability])),
  };
  return { ...leg, latest: score, points: [...leg.points.slice(-MOST_POINTS), point] };
}

function withLeg(story: Story, name: LegName, change: (leg: LegStory) => LegStory): Story {
  const known = story.legs.find((leg) => leg.name === name);
  const leg = change(known ?? { name, codec: "", points: [], gaps: [], latest: null });
  const legs = known ? story.legs.map((one) => (one === known ? leg : one)) : [...story.legs, leg];
  return { ...story, legs };
}

/** Stretches without speech, as the points tell. */
export function silences(points: readonly Point[]): { start_ms: number; end_ms: number }[] {
  const found: { start_ms: number; end_ms: number }[] = [];
  let from: number | null = null;
  let before = 0;
  for (const point of points) {
    if (!point.is_speech && from === null) from = before;
    if (point.is_speech && from !== null) {
      found.push({ start_ms: from, end_ms: before });
      from = null;
    }
    before = point.at_ms;
  }
  if (from !== null) found.push({ start_ms: from, end_ms: before });
  return found;
}

/** At most some 800 points, the last one always among them: hours of call stay cheap to draw. */
export function thinned<T>(points: readonly T[], most = 800): T[] {
  const stride = Math.ceil(points.length / most);
  return stride <= 1 ? [...points] : points.filter((_, i) => (points.length - 1 - i) % stride === 0);
}
