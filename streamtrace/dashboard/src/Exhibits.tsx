// What speaks for an alert: its spectrogram, its stretches, whom they named, and what the line did.

import { useEffect, useRef, useState } from "preact/hooks";
import { address, detailOf, getJson } from "./api";
import type { Alert, Evidence } from "./alerts";
import { minutes, percent, plain, seconds, wallClock } from "./format";
import { operator } from "./who";

interface Held { spectrogram: { start_ms: number; end_ms: number } | null; clip: { expires_at: string } | null }

const MOST_NAMES = 4; // with colours of their own; `unknown` and the others come on top
const LEAST_SHARE = 0.02; // of all stretches: less is among the others
const OTHERS = "others";

export function Exhibits({ alert }: { alert: Alert }) {
  const { evidence } = alert;
  const held = useHeld(alert);
  return (
    <>
      {held?.spectrogram && (
        <figure class="spectrogram">
          <img width="960" height="230" src={address(`${pathOf(alert)}/spectrogram.png?version=${alert.version}`).href} alt={wordsOf(alert, held.spectrogram)} />
          <figcaption class="facts">From {minutes(held.spectrogram.start_ms)} to {minutes(held.spectrogram.end_ms)}, low sounds at the bottom; what spoke for a synthetic voice has a bar above it.</figcaption>
        </figure>
      )}
      {held?.clip && <Listen alert={alert} expires={held.clip.expires_at} />}
      {evidence.segments.length > 0 && <Segments evidence={evidence} />}
      {evidence.windows.length > 0 && <Windows evidence={evidence} />}
      <h3>Nearest system in all that was heard, over time</h3>
      <ul class="segments">
        {evidence.named.map((one) => (
          <li key={one.from_ms}>
            <span>from {minutes(one.from_ms)}</span>
            <span>{plain(one.source)}{one.family ? ` (${plain(one.family)})` : ""}</span>
            <span class="figure">{percent(one.probability)}</span>
          </li>
        ))}
      </ul>
      <Line evidence={evidence} />
    </>
  );
}

const pathOf = (alert: Alert): string => `v1/alerts/${encodeURIComponent(alert.id)}`;

/** What there is to see and hear; asked anew whenever the alert has changed. */
function useHeld(alert: Alert): Held | null {
  const [held, setHeld] = useState<Held | null>(null);
  useEffect(() => setHeld(null), [alert.id]);
  useEffect(() => {
    let isWanted = true;
    getJson<Held>(`${pathOf(alert)}/exhibits`).then((found) => isWanted && setHeld(found), () => undefined);
    return () => {
      isWanted = false;
    };
  }, [alert.id, alert.version]);
  return held;
}

function wordsOf({ leg, evidence }: Alert, shown: { start_ms: number; end_ms: number }): string {
  const spoke = evidence.segments.map((one) => `${seconds(one.start_ms)} to ${seconds(one.end_ms)}`);
  const marked = spoke.length ? `marked: ${spoke.join(", ")}` : "nothing is marked";
  return `Spectrogram of the ${leg} from ${minutes(shown.start_ms)} to ${minutes(shown.end_ms)}; ${marked}`;
}

/** Plays what spoke for it; fetched once, for every fetch is an entry in the audit. */
function Listen({ alert, expires }: { alert: Alert; expires: string }) {
  const [problem, setProblem] = useState("");
  const [isPlaying, setPlaying] = useState(false);
  const stop = useRef<() => void>(() => undefined);
  useEffect(() => () => stop.current(), [alert.id]);
  const play = async () => {
    setProblem("");
    try {
      const answer = await fetch(address(`${pathOf(alert)}/clip?actor=${encodeURIComponent(operator.value.trim())}`));
      if (!answer.ok) throw new Error(await detailOf(answer));
      const player = new AudioContext();
      const source = player.createBufferSource();
      source.buffer = await player.decodeAudioData(await answer.arrayBuffer());
      source.connect(player.destination);
      stop.current = () => {
        stop.current = () => undefined;
        void player.close();
        setPlaying(false);
      };
      source.onended = () => stop.current();
      source.start();
      setPlaying(true);
    } catch (cause) {
      setProblem(`That cannot be played: ${(cause as Error).message}`);
    }
  };
  const hasName = operator.value.trim() !== "";
  return (
    <div class="actions">
      <button type="button" disabled={!hasName} onClick={() => (isPlaying ? stop.current() : void play())}>
        {isPlaying ? "Stop" : "Listen to what spoke for it"}
      </button>
      <span class="facts">{hasName ? "Every play is audited." : "Enter your name first: every play is audited."} Kept until {new Date(expires).toLocaleDateString()} {wallClock(expires)}.</span>
      {problem && <span class="note" role="alert">{problem}</span>}
    </div>
  );
}

function Segments({ evidence }: { evidence: Evidence }) {
  return (
    <table class="spoke">
      <caption>Stretches that spoke for it</caption>
      <thead>
        <tr>
          <th scope="col">When</th><th scope="col">Speech</th><th scope="col">Synthetic</th><th scope="col">Of the evidence</th><th scope="col">Nearest by then</th>
        </tr>
      </thead>
      <tbody>
        {evidence.segments.map((one) => (
          <tr key={one.start_ms}>
            <th scope="row">{seconds(one.start_ms)} to {seconds(one.end_ms)}</th>
            <td>{seconds(one.speech_ms)}</td>
            <td>{percent(one.spoof_probability)}</td>
            <td>{percent(one.share)}</td>
            <td>{one.source ? plain(one.source) : "no known system"}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** Shares of each stretch, one upon another: the named, `unknown`, and whatever is left. */
function Windows({ evidence: { windows } }: { evidence: Evidence }) {
  const weight = new Map<string, number>();
  for (const { sources } of windows) for (const one of sources) if (one.family) weight.set(one.source, (weight.get(one.source) ?? 0) + one.probability);
  const names = [...weight].filter(([, sum]) => sum >= LEAST_SHARE * windows.length).sort((one, other) => other[1] - one[1]).slice(0, MOST_NAMES).map(([name]) => name);
  const rows = [...names, "unknown", OTHERS];
  const shareOf = (sources: Evidence["windows"][number]["sources"], row: string): number => {
    if (row !== OTHERS) return sources.find((one) => one.source === row)?.probability ?? 0;
    return Math.max(0, 1 - [...names, "unknown"].reduce((sum, name) => sum + shareOf(sources, name), 0));
  };
  const first = (sources: Evidence["windows"][number]["sources"]) => sources[0] ? `${plain(sources[0].source)} ${percent(sources[0].probability)}` : "nobody";
  const words = windows.map((one) => `from ${minutes(one.start_ms)} ${first(one.sources)}`).join("; ");
  const end_ms = windows.at(-1)?.end_ms ?? 0;
  return (
    <>
      <h3>Which system each stretch named by itself</h3>
      <div class="stacks" role="img" aria-label={`Likeliest system of each stretch: ${words}`}>
        {windows.map((one) => (
          <div key={one.start_ms} style={{ flexGrow: one.end_ms - one.start_ms }}>
            {rows.map((row, index) => (
              <span key={row} class={`stack stack-${row === "unknown" || row === OTHERS ? row : index}`} style={{ flexGrow: shareOf(one.sources, row) }} />
            ))}
          </div>
        ))}
      </div>
      <div class="ends facts" aria-hidden="true"><span>{minutes(windows[0]?.start_ms ?? 0)}</span><span>{minutes(end_ms)}</span></div>
      <ul class="legend" aria-label="Legend">
        {rows.map((row, index) => (
          <li key={row}><span class={`key stack-${row === "unknown" || row === OTHERS ? row : index}`} />{plain(row)}</li>
        ))}
      </ul>
    </>
  );
}

/** What the line did to the voice. */
function Line({ evidence: { quality, speech_ms, model } }: { evidence: Evidence }) {
  const facts: [string, string][] = [
    ["Speech", seconds(speech_ms)],
    ["Line", `${quality.codec} at ${quality.rate_hz / 1000} kHz`],
    ["Lost", percent(quality.loss_ratio)],
  ];
  if (quality.concealed_ms > 0) facts.push(["Concealed", seconds(quality.concealed_ms)]);
  if (quality.degraded_ms > 0) facts.push(["Left out", seconds(quality.degraded_ms)]);
  if (quality.clipped_ratio !== null) facts.push(["Clipped", percent(quality.clipped_ratio)]);
  if (quality.bandwidth_hz !== null) facts.push(["Heard up to", `${(quality.bandwidth_hz / 1000).toFixed(1)} kHz`]);
  facts.push(["Model", model.id]);
  return (
    <dl class="line" aria-label="What the line did to the voice">
      {facts.map(([name, value]) => <div key={name}><dt>{name}</dt><dd>{value}</dd></div>)}
    </dl>
  );
}
