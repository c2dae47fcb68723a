// The wall of an operations room: few words, large, readable from across it.

import { areServed, queue, waiting } from "./alerts";
import { ordered, totals } from "./calls";
import { minutes, percent, plain } from "./format";
import { now } from "./now";
import { Badge, topSource } from "./parts";

const MOST_TILES = 24;

export function Wall() {
  const live = ordered.value.filter((call) => call.state === "live").slice(0, MOST_TILES);
  const counts = totals.value;
  return (
    <section class="wall" aria-labelledby="wall-title">
      <h2 id="wall-title" class="unseen">Wall</h2>
      <dl class="counts">
        <div><dt>live calls</dt><dd>{counts.live}</dd></div>
        <div class="is-synthetic"><dt>synthetic</dt><dd>{counts.synthetic}</dd></div>
        <div><dt>inconclusive</dt><dd>{counts.inconclusive}</dd></div>
        {areServed.value && <div class="is-synthetic"><dt>alerts waiting</dt><dd>{waiting.value}</dd></div>}
      </dl>
      <ul class="tiles" aria-label="Live calls, riskiest first">
        {live.map((call) => (
          <li key={call.id} class="tile" data-verdict={call.worst?.decision?.verdict ?? "none"}>
            <Badge verdict={call.worst?.decision?.verdict} />
            <strong>{call.worst?.decision ? percent(call.worst.decision.spoof_probability) : "–"}</strong>
            <span class="name">{call.name}</span>
            <span class="facts">{call.line ?? call.protocol} · {minutes(now.value - call.started_at)}</span>
            <span class="facts">{topSource(call.worst?.decision)}</span>
          </li>
        ))}
      </ul>
      {live.length === 0 && <p class="empty">No live calls.</p>}
      {queue.value.slice(0, 3).map((alert) => (
        <p key={alert.id} class="banner">{plain(alert.severity)} alert, {plain(alert.state)}: {alert.external_id ?? alert.call_id}: {alert.evidence.reason}</p>
      ))}
    </section>
  );
}
