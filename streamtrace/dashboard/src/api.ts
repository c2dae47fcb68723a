// What the server says, as its OpenAPI description has it, and how it is asked.

export type Verdict = "synthetic" | "bonafide" | "inconclusive" | "no_speech";
export type LegName = "caller" | "callee";

export interface Share { source: string; family: string | null; probability: number }
export interface FamilyShare { family: string; probability: number }

export interface Score {
  leg: LegName;
  segment: { start_ms: number; end_ms: number; speech_ms: number };
  is_final: boolean;
  verdict: Verdict;
  spoof_probability: number;
  threshold: { policy: string; value: number };
  attribution: Share[];
  families: FamilyShare[];
  novelty: number;
  speech_ms: number;
  duration_ms: number;
  window: { spoof_probability: number; novelty: number } | null;
  first_verdict_ms: number | null;
  first_synthetic_ms: number | null;
  quality: { codec: string; loss_ratio: number; concealed_ms: number; degraded: boolean };
  latency_ms: { queue: number; encode: number; total: number } | null;
  model: { id: string; sha256: string };
}

export interface LegView { leg: LegName; codec: string; rate_hz: number; decision: Score | null }

export interface CallView {
  id: string;
  external_id: string | null;
  line: string | null;
  protocol: string;
  state: "announced" | "live" | "ended";
  started: string;
  ended: string | null;
  reason: string | null;
  legs: LegView[];
}

export interface CloudEvent {
  id: string;
  type: string;
  time: string;
  sequence?: string;
  data: Record<string, unknown>;
}

/** An address of this server, wherever the page was loaded from. */
export const address = (path: string): URL => new URL(path, document.baseURI);

export async function getJson<T>(path: string): Promise<T> {
  const answer = await fetch(address(path));
  if (!answer.ok) throw new HttpError(answer.status, await detailOf(answer));
  return (await answer.json()) as T;
}

/** A refusal, with the server's own words (problem+json). */
export class HttpError extends Error {
  constructor(readonly status: number, detail: string) {
    super(detail);
  }
}

export async function detailOf(answer: Response): Promise<string> {
  try {
    const body = (await answer.json()) as { detail?: string };
    return body.detail ?? answer.statusText;
  } catch {
    return answer.statusText;
  }
}
