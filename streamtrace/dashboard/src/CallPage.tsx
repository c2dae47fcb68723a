// One call, followed event by event: verdict, timeline and attribution of each leg.

import { useEffect, useRef, useState } from "preact/hooks";
import { address, type CloudEvent, type Score } from "./api";
import { Sources, Timeline } from "./charts";
import { minutes, percent, plain, seconds, wallClock } from "./format";
import { LegPicture } from "./LegPicture";
import { follow } from "./link";
import { Badge, Meter, Shares } from "./parts";
import { emptyStory, told, type LegStory, type Story } from "./story";

const DRAW_EVERY_MS = 250;

export function CallPage({ id, onClose }: { id: string; onClose: () => void }) {
  const [story, setStory] = useState<Story>(() => emptyStory(id));
  const [note, setNote] = useState("");
  const section = useRef<HTMLElement>(null);

  useEffect(() => {
    let current = emptyStory(id);
    let timer = 0;
    setStory(current);
    setNote("");
    section.current?.focus({ preventScroll: matchMedia("(min-width: 64rem)").matches });
    const show = () => {
      timer ||= window.setTimeout(() => {
        timer = 0;
        setStory(current);
      }, DRAW_EVERY_MS);
    };
    const stop = follow<CloudEvent>(
      () => `v1/calls/${encodeURIComponent(id)}/events?after=${current.sequence || 0}`,
      (event) => {
        const next = told(current, event);
        if (next === current) return;
        current = next;
        show();
        if (current.ended) stop();
      },
      (state) => {
        if (state !== "lost") return;
        fetch(address(`v1/calls/${encodeURIComponent(id)}`)).then(
          (answer) => {
            if (answer.status !== 404) return;
            setNote("The server no longer holds this call.");
            stop();
          },
          () => undefined,
        );
      },
    );
    return () => {
      clearTimeout(timer);
      stop();
    };
  }, [id]);

  return (
    <section class="detail" aria-labelledby="detail-title" tabIndex={-1} ref={section}>
      <div class="heading">
        <h2 id="detail-title">{story.name}</h2>
        <button type="button" class="close" aria-keyshortcuts="Escape" onClick={onClose}>Close</button>
      </div>
      <p class="facts">{facts(id, story)}</p>
      {story.hasGap && <p class="note">The first events of this call are no longer held.</p>}
      {note && <p class="note">{note}</p>}
      {!story.legs.length && !note && !story.ended && <p class="waiting">Waiting for this call's events…</p>}
      {story.legs.map((leg) => <Leg key={leg.name} id={id} leg={leg} isLive={!story.ended} />)}
      <details class="raw">
        <summary>Events as they arrive</summary>
        <ol class="events" reversed>
          {story.log.map((event) => <Line key={event.id} event={event} />)}
        </ol>
      </details>
    </section>
  );
}

function facts(id: string, story: Story): string {
  const parts = [id, [story.protocol, story.line].filter(Boolean).join(" · ")];
  if (story.started) parts.push(`since ${wallClock(story.started)}`);
  if (story.ended) parts.push(`ended ${wallClock(story.ended)}: ${plain(story.reason)}${story.error ? ` (${story.error})` : ""}`);
  return parts.filter(Boolean).join("  ·  ");
}

function Leg({ id, leg, isLive }: { id: string; leg: LegStory; isLive: boolean }) {
  const score = leg.latest;
  return (
    <article class="leg">
      <div class="leg-head">
        <h3>{leg.name}</h3>
        <Badge verdict={score?.verdict} />
        <Meter score={score} label={`spoof probability of the ${leg.name}`} />
      </div>
      <Timeline leg={leg} />
      <ul class="legend" aria-label="Legend">
        <li><span class="key k-line" />whole call</li>
        <li><span class="key k-window" />last window</li>
        <li><span class="key k-threshold" />synthetic from here</li>
        <li><span class="key k-silence" />no speech</li>
        <li><span class="key k-gap" />audio missing</li>
      </ul>
      {score && <LegPicture id={id} leg={leg.name} now_ms={score.segment.end_ms} isLive={isLive} />}
      {score && <Traced leg={leg} score={score} />}
    </article>
  );
}

function Traced({ leg, score }: { leg: LegStory; score: Score }) {
  const quality = score.quality;
  const line = [
    leg.codec,
    `${seconds(score.speech_ms)} of speech in ${minutes(score.duration_ms)}`,
    `novelty ${score.novelty.toFixed(2)}`,
    quality.loss_ratio > 0 ? `${percent(quality.loss_ratio)} lost` : "nothing lost",
    quality.degraded ? "engine was behind" : "",
    score.latency_ms ? `decided in ${Math.round(score.latency_ms.total)} ms` : "",
    score.is_final ? "final" : "",
  ];
  const isSynthetic = score.verdict === "synthetic";
  return (
    <>
      <p class="facts">{line.filter(Boolean).join("  ·  ")}</p>
      {!isSynthetic && <p class="hint">Not judged synthetic: the shares below hold only if it were.</p>}
      <div class="traced">
        <div>
          <h4>If synthetic: which system</h4>
          <Shares name="Likely sources" shares={score.attribution.map((share) => ({ label: share.source, note: share.family, probability: share.probability }))} />
        </div>
        <div>
          <h4>Kind of generator</h4>
          <Shares name="Likely families" shares={score.families.slice(0, 6).map((share) => ({ label: share.family, probability: share.probability }))} />
        </div>
      </div>
      <h4>Which system, over time</h4>
      <Sources leg={leg} />
    </>
  );
}

function Line({ event }: { event: CloudEvent }) {
  const data = event.data as Partial<Score> & { reason?: string; leg?: string };
  const words = data.verdict
    ? `${data.leg} ${plain(data.verdict)} ${percent(data.spoof_probability ?? 0)}${data.is_final ? " (final)" : ""}`
    : plain(data.reason ?? data.leg ?? "");
  return (
    <li>
      <time dateTime={event.time}>{wallClock(event.time)}</time>
      <code>{event.type}</code>
      <span>{words}</span>
    </li>
  );
}
