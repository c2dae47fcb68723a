// The list of calls, riskiest first; only the rows in sight exist, so a thousand calls stay light.

import { elementScroll, observeElementOffset, observeElementRect, Virtualizer } from "@tanstack/virtual-core";
import { useEffect, useMemo, useReducer, useRef } from "preact/hooks";
import { choices, filters, heardAt, historyNext, loadHistory, shown, type Call } from "./calls";
import { asCsv, asJson, download } from "./export";
import { minutes, seconds, VERDICTS } from "./format";
import { Badge, Meter, topSource } from "./parts";
import { go, openCall } from "./route";
import { now } from "./now";

const ROW_PX = 58;

export function CallList() {
  const calls = shown.value;
  return (
    <section class="calls" aria-labelledby="calls-title">
      <h2 id="calls-title" class="unseen">Calls</h2>
      <Filters />
      {calls.length ? <Rows calls={calls} /> : heardAt.value && <Empty />}
      <div class="tools">
        <span class="hint" role="status">{calls.length} {calls.length === 1 ? "call" : "calls"} shown</span>
        <button type="button" onClick={() => void loadHistory()} disabled={historyNext.value === "" }>Older calls</button>
        <button type="button" onClick={() => download("calls.csv", "text/csv", asCsv(shown.peek()))}>CSV</button>
        <button type="button" onClick={() => download("calls.json", "application/json", asJson(shown.peek()))}>JSON</button>
      </div>
    </section>
  );
}

function Filters() {
  const pick = (key: string, label: string, value: string, options: [string, string][]) => (
    <label>
      <span>{label}</span>
      <select value={value} onChange={(event) => go({ [key]: event.currentTarget.value }, { replace: true })}>
        <option value="">all</option>
        {options.map(([option, words]) => <option key={option} value={option}>{words}</option>)}
      </select>
    </label>
  );
  const same = (values: string[]): [string, string][] => values.map((value) => [value, value]);
  return (
    <form class="filters" role="search" onSubmit={(event) => event.preventDefault()}>
      <label class="find">
        <span>Find</span>
        <input
          type="search"
          id="find"
          placeholder="id, line, system…"
          value={filters.words.value}
          onInput={(event) => go({ q: event.currentTarget.value }, { replace: true })}
        />
      </label>
      {pick("state", "State", filters.state.value, same(["live", "ended", "announced"]))}
      {pick("verdict", "Verdict", filters.verdict.value, Object.entries(VERDICTS))}
      {pick("line", "Line", filters.line.value, same(choices.value.lines))}
      {pick("protocol", "Protocol", filters.protocol.value, same(choices.value.protocols))}
    </form>
  );
}

function Rows({ calls }: { calls: Call[] }) {
  const host = useRef<HTMLDivElement>(null);
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  const rows = useMemo(
    () =>
      new Virtualizer<HTMLDivElement, HTMLDivElement>({
        count: calls.length,
        getScrollElement: () => host.current,
        estimateSize: () => ROW_PX,
        overscan: 8,
        observeElementRect,
        observeElementOffset,
        scrollToFn: elementScroll,
        onChange: () => redraw(undefined),
      }),
    [],
  );
  rows.setOptions({ ...rows.options, count: calls.length, getItemKey: (index) => calls[index]?.id ?? index });
  useEffect(() => rows._didMount(), [rows]);
  useEffect(() => rows._willUpdate());

  const move = (event: KeyboardEvent, index: number) => {
    const next = { ArrowDown: index + 1, ArrowUp: index - 1, Home: 0, End: calls.length - 1 }[event.key];
    if (next === undefined || next < 0 || next >= calls.length) return;
    event.preventDefault();
    rows.scrollToIndex(next);
    requestAnimationFrame(() =>
      host.current?.querySelector<HTMLElement>(`[data-index="${next}"] button`)?.focus(),
    );
  };
  return (
    <div class="table" role="table" aria-label="Calls and their latest decision, riskiest first" aria-rowcount={calls.length + 1}>
      <div role="rowgroup">
        <div class="row head" role="row" aria-rowindex={1}>
          <span role="columnheader">Call</span>
          <span role="columnheader" class="c-leg">Leg</span>
          <span role="columnheader">Verdict</span>
          <span role="columnheader">Spoof probability</span>
          <span role="columnheader" class="c-source">Likeliest source</span>
          <span role="columnheader" class="c-speech">Speech</span>
        </div>
      </div>
      <div class="scroll" ref={host} role="rowgroup" tabIndex={-1}>
        <div class="sizer" role="presentation" style={{ blockSize: `${rows.getTotalSize()}px` }}>
          {rows.getVirtualItems().map((item) => {
            const call = calls[item.index];
            return call && (
              <Row key={call.id} call={call} index={item.index} top={item.start} onKey={(event) => move(event, item.index)} />
            );
          })}
        </div>
      </div>
    </div>
  );
}

function Row({ call, index, top, onKey }: { call: Call; index: number; top: number; onKey: (event: KeyboardEvent) => void }) {
  const decision = call.worst?.decision ?? null;
  const isOpen = openCall.value === call.id;
  const age = minutes((call.ended_at ?? now.value) - call.started_at);
  const open = () => go({ call: call.id });
  return (
    <div
      class="row"
      role="row"
      aria-rowindex={index + 2}
      data-index={index}
      data-call={call.id}
      data-state={call.state}
      data-selected={isOpen}
      style={{ transform: `translateY(${top}px)`, blockSize: `${ROW_PX}px` }}
      onClick={open}
      onKeyDown={onKey}
    >
      <span role="rowheader" class="c-call">
        <button type="button" class="call" data-state={call.state} aria-current={isOpen} onClick={(event) => { event.stopPropagation(); open(); }}>{call.name}</button>
        <span class="facts">{call.protocol}{call.line ? ` · ${call.line}` : ""} · {call.state} {age}</span>
      </span>
      <span role="cell" class="c-leg">{call.worst?.leg ?? "–"}</span>
      <span role="cell"><Badge verdict={decision?.verdict} /></span>
      <span role="cell"><Meter score={decision} label={`spoof probability of ${call.name}`} /></span>
      <span role="cell" class="c-source">{topSource(decision)}</span>
      <span role="cell" class="c-speech">{decision ? seconds(decision.speech_ms) : "–"}</span>
    </div>
  );
}

function Empty() {
  const isFiltered = Object.values(filters).some((filter) => filter.value);
  if (isFiltered) {
    return (
      <div class="empty">
        <p class="lead">No call matches these filters.</p>
        <button type="button" onClick={() => go({ q: "", state: "", verdict: "", line: "", protocol: "" })}>Clear filters</button>
      </div>
    );
  }
  return (
    <div class="empty">
      <img src="./static/icon.svg" alt="" width="44" height="44" />
      <p class="lead">No calls yet. Place one:</p>
      <pre tabIndex={0}><code id="command-whip">streamtrace call {location.origin} voice.wav --protocol whip</code></pre>
      <pre tabIndex={0}><code id="command-twilio">streamtrace call {location.origin} voice.wav --protocol twilio</code></pre>
      <p class="hint">Any wav, flac, mp3 or ogg file of speech will do, and so does your own voice: “Call from this browser”. Decisions show up about two seconds in.</p>
    </div>
  );
}
