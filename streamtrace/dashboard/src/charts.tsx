// The two pictures over time: how likely the voice is synthetic, and which systems it may be.

import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { minutes, percent, plain } from "./format";
import { silences, thinned, type LegStory } from "./story";

const HEIGHT_PX = 190;
const SOURCES_PX = 130;
const MOST_SOURCES = 5;
// Told apart without colour too: each has dashes of its own.
const DASHES: number[][] = [[], [6, 3], [2, 3], [9, 3, 2, 3], [12, 4]];

/** A call begins at its begin, however late the first decision comes. */
const fromZero = (_: uPlot, __: number, last: number): uPlot.Range.MinMax => [0, Math.max(last ?? 0, 2)];

const tone = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function axes(): uPlot.Axis[] {
  const look = { stroke: () => tone("--muted"), grid: { stroke: () => tone("--line"), width: 1 }, ticks: { show: false }, font: "11px system-ui" };
  return [
    { ...look, values: (_, ticks) => ticks.map((at) => minutes(at * 1000)), size: 26 },
    { ...look, values: (_, ticks) => ticks.map((share) => `${Math.round(share * 100)} %`), splits: [0, 0.5, 1], size: 46 },
  ];
}

/** A chart that is made once, given new data as it comes, and drawn anew in another light. */
function useChart(make: () => Omit<uPlot.Options, "width" | "height">, data: uPlot.AlignedData, height: number, key: string) {
  const host = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | null>(null);
  useEffect(() => {
    const element = host.current;
    if (!element) return;
    const plot = new uPlot({ ...make(), width: element.clientWidth || 400, height }, data, element);
    chart.current = plot;
    const resize = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height }));
    resize.observe(element);
    const light = matchMedia("(prefers-color-scheme: dark)");
    const redraw = () => plot.redraw();
    light.addEventListener("change", redraw);
    return () => {
      light.removeEventListener("change", redraw);
      resize.disconnect();
      plot.destroy();
    };
  }, [key]);
  useEffect(() => chart.current?.setData(data), [data]);
  return host;
}

export function Timeline({ leg }: { leg: LegStory }) {
  const story = useRef(leg);
  story.current = leg;
  const points = thinned(leg.points);
  const data: uPlot.AlignedData = [
    points.map((point) => point.at_ms / 1000),
    points.map((point) => point.call),
    points.map((point) => point.window),
  ];
  const shade = (plot: uPlot, start_ms: number, end_ms: number, fill: string) => {
    const from = Math.max(plot.bbox.left, plot.valToPos(start_ms / 1000, "x", true));
    const to = plot.valToPos(end_ms / 1000, "x", true);
    plot.ctx.fillStyle = fill;
    plot.ctx.fillRect(from, plot.bbox.top, Math.max(2, to - from), plot.bbox.height);
  };
  const under = (plot: uPlot) => {
    plot.ctx.save(); // uPlot believes that nobody else changes its pens
    drawUnder(plot);
    plot.ctx.restore();
  };
  const drawUnder = (plot: uPlot) => {
    for (const { start_ms, end_ms } of silences(story.current.points)) shade(plot, start_ms, end_ms, tone("--no_speech-wash"));
    for (const { start_ms, end_ms } of story.current.gaps) shade(plot, start_ms, end_ms, tone("--gap"));
    const threshold = story.current.latest?.threshold.value;
    if (threshold === undefined) return;
    const at = plot.valToPos(threshold, "y", true);
    plot.ctx.strokeStyle = tone("--synthetic");
    plot.ctx.setLineDash([6, 5]);
    plot.ctx.beginPath();
    plot.ctx.moveTo(plot.bbox.left, at);
    plot.ctx.lineTo(plot.bbox.left + plot.bbox.width, at);
    plot.ctx.stroke();
  };
  const host = useChart(
    () => ({
      legend: { show: false },
      cursor: { y: false },
      scales: { x: { time: false, range: fromZero }, y: { range: [0, 1] } },
      axes: axes(),
      series: [
        {},
        { stroke: () => tone("--accent"), width: 2, fill: () => tone("--accent-wash"), points: { show: false } },
        { stroke: () => tone("--muted"), paths: () => null, points: { show: true, size: 4, fill: () => tone("--muted") } },
      ],
      hooks: { drawClear: [under] },
    }),
    data,
    HEIGHT_PX,
    leg.name,
  );
  const last = leg.points.at(-1);
  const words = last
    ? `${leg.name}: spoof probability over time, ${percent(last.call)} at ${minutes(last.at_ms)}, ${leg.gaps.length} gaps`
    : `${leg.name}: no decision yet`;
  return <div class="chart timeline" ref={host} role="img" aria-label={words} />;
}

/** The likeliest systems over the call, `unknown` among them. */
export function Sources({ leg }: { leg: LegStory }) {
  const points = thinned(leg.points, 300);
  const weight = new Map<string, number>();
  for (const point of points) for (const [source, share] of point.shares) weight.set(source, (weight.get(source) ?? 0) + share);
  const names = [...weight].sort((one, other) => other[1] - one[1]).slice(0, MOST_SOURCES).map(([name]) => name).sort();
  const data: uPlot.AlignedData = [
    points.map((point) => point.at_ms / 1000),
    ...names.map((name) => points.map((point) => point.shares.get(name) ?? null)),
  ];
  const host = useChart(
    () => ({
      legend: { show: false },
      cursor: { y: false },
      scales: { x: { time: false, range: fromZero }, y: { range: [0, 1] } },
      axes: axes(),
      series: [
        {},
        ...names.map((_, index) => ({
          stroke: () => tone(`--source-${index}`),
          width: 2,
          dash: DASHES[index] ?? [],
          points: { show: false },
          spanGaps: true,
        })),
      ],
    }),
    data,
    SOURCES_PX,
    names.join(" "),
  );
  return (
    <div class="sources">
      <div class="chart" ref={host} role="img" aria-label={`${leg.name}: likeliest systems over time: ${names.map(plain).join(", ")}`} />
      <ul class="legend">
        {names.map((name, index) => (
          <li key={name}>
            <svg width="22" height="8" aria-hidden="true">
              <line x1="0" y1="4" x2="22" y2="4" class={`source-${index}`} stroke-width="2" stroke-dasharray={(DASHES[index] ?? []).join(" ")} />
            </svg>
            {plain(name)}
          </li>
        ))}
      </ul>
    </div>
  );
}
