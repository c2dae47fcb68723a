// The small pictures that all views share: icons, verdict badge, probability meter, share bars.

import type { JSX } from "preact";
import type { Score, Verdict } from "./api";
import { VERDICTS, percent, plain } from "./format";

const SHAPES: Record<Verdict, JSX.Element> = {
  synthetic: (
    <>
      <path d="M8 1.2 14.4 4.6v6.8L8 14.8 1.6 11.4V4.6Z" fill="none" stroke="currentColor" stroke-width="1.5" stroke-linejoin="round" />
      <path d="M8 4.6v4.2" stroke="currentColor" stroke-width="1.7" stroke-linecap="round" />
      <circle cx="8" cy="11.2" r="1" fill="currentColor" />
    </>
  ),
  bonafide: (
    <>
      <circle cx="8" cy="8" r="6.4" fill="none" stroke="currentColor" stroke-width="1.5" />
      <path d="m5 8.2 2.1 2.1L11 6" fill="none" stroke="currentColor" stroke-width="1.7" stroke-linecap="round" stroke-linejoin="round" />
    </>
  ),
  inconclusive: (
    <>
      <path d="M8 1.4 14.6 8 8 14.6 1.4 8Z" fill="none" stroke="currentColor" stroke-width="1.5" stroke-linejoin="round" />
      <path d="M6.4 6.6A1.7 1.7 0 1 1 8 8.4v.5" fill="none" stroke="currentColor" stroke-width="1.5" stroke-linecap="round" />
      <circle cx="8" cy="11" r=".9" fill="currentColor" />
    </>
  ),
  no_speech: (
    <>
      <circle cx="8" cy="8" r="6.4" fill="none" stroke="currentColor" stroke-width="1.5" stroke-dasharray="2.4 2" />
      <path d="M5 8h6" stroke="currentColor" stroke-width="1.7" stroke-linecap="round" />
    </>
  ),
};

/** A verdict by words, shape and colour. */
export function Badge({ verdict }: { verdict: Verdict | undefined }) {
  return (
    <span class="badge" data-verdict={verdict ?? "none"}>
      {verdict ? (
        <>
          <svg class="icon" aria-hidden="true" viewBox="0 0 16 16">{SHAPES[verdict]}</svg>
          {VERDICTS[verdict]}
        </>
      ) : (
        "listening…"
      )}
    </span>
  );
}

/** A bar for a spoof probability, with a mark where the synthetic verdict begins. */
export function Meter({ score, label }: { score: Score | null; label: string }) {
  const share = score?.spoof_probability ?? 0;
  return (
    <span class="meter">
      {score && (
        <span
          class="bar"
          role="meter"
          aria-label={label}
          aria-valuemin={0}
          aria-valuemax={100}
          aria-valuenow={Math.round(share * 100)}
          data-verdict={score.verdict}
        >
          <span class="fill" style={{ inlineSize: `${share * 100}%` }} />
          <span
            class="mark"
            style={{ insetInlineStart: `${score.threshold.value * 100}%` }}
            title={`synthetic from ${percent(score.threshold.value)}`}
          />
        </span>
      )}
      <span class="figure">{score ? percent(share) : "–"}</span>
    </span>
  );
}

/** Named shares as bars, likeliest first; `unknown` is hatched. */
export function Shares({ name, shares }: { name: string; shares: { label: string; note?: string | null; probability: number }[] }) {
  return (
    <ul class="shares" aria-label={name}>
      {shares.map(({ label, note, probability }) => (
        <li key={label} data-unknown={label === "unknown"}>
          <span class="name">
            {plain(label)}
            {note && <small>{note}</small>}
          </span>
          <span class="bar" aria-hidden="true"><span class="fill" style={{ inlineSize: `${probability * 100}%` }} /></span>
          <span class="figure">{percent(probability)}</span>
        </li>
      ))}
    </ul>
  );
}

/** Its source where the voice is judged synthetic: otherwise there is none to name. */
export function topSource(score: Score | null | undefined): string {
  const top = score?.verdict === "synthetic" ? score.attribution[0] : undefined;
  return top ? `${plain(top.source)} ${percent(top.probability)}` : "–";
}
