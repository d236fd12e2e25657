import { useMemo, useState } from "preact/hooks";

import { Chart, type Line } from "./chart";
import { clock, count, decimal, dollars, millis, none, percent, rate } from "./format";
import { Pair } from "./parts";
import { Table } from "./table";
import type { Theme } from "./theme";
import type { Figures, History, Insight, Percentiles } from "./types";

const spans = [
  [60, "5 min"],
  [360, "30 min"],
] as const;

// A Reading is a figure of a chart's head, with the line that it belongs to.
interface Reading {
  name: string;
  style: Line["style"];
  value: (f: Figures, seconds: number) => string;
}

interface Card {
  title: string;
  explanation: string;
  readings: Reading[];
  lines: (points: Figures[], seconds: number) => Line[];
  axis: (v: number) => string;
  least: number;
}

const cards: Card[] = [
  {
    title: "Requests",
    explanation: "per second",
    readings: [{ name: "all", style: "main", value: (f, s) => (s > 0 ? `${rate(f.requests / s)}/s` : none) }],
    lines: (points, s) => [{ style: "main", values: points.map((p) => p.requests / s) }],
    axis: (v) => decimal(v),
    least: 0.5,
  },
  {
    title: "Errors",
    explanation: "share of the requests",
    readings: [
      { name: "failed", style: "bad", value: (f) => share(f.failed, f.requests) },
      { name: "refused", style: "third", value: (f) => share(f.refused + f.limited, f.requests) },
    ],
    lines: (points) => [
      { style: "bad", values: points.map((p) => (p.requests ? p.failed / p.requests : null)) },
      { style: "third", values: points.map((p) => (p.requests ? (p.refused + p.limited) / p.requests : null)) },
    ],
    axis: (v) => `${decimal(v * 100, 1)} %`,
    least: 0.1,
  },
  percentiles("Latency", "whole answers, without failed ones", (f) => f.latency_ms),
  percentiles("First content", "of streams", (f) => f.ttft_ms),
];

function percentiles(title: string, explanation: string, of: (f: Figures) => Percentiles | null): Card {
  const parts = [["p50", "main"], ["p95", "second"], ["p99", "third"]] as const;
  return {
    title,
    explanation,
    readings: parts.map(([name, style]) => ({ name, style, value: (f) => millis(of(f)?.[name]) })),
    lines: (points) => parts.map(([name, style]) => ({ style, values: points.map((p) => of(p)?.[name] ?? null) })),
    axis: (v) => (v === 0 ? "0" : v < 1000 ? `${decimal(v, 0)} ms` : `${decimal(v / 1000, 1)} s`),
    least: 10,
  };
}

function share(part: number, whole: number): string {
  return whole > 0 ? percent(part / whole) : none;
}

export function OverviewSection({ insight, theme }: { insight: Insight; theme: Theme }) {
  const [steps, setSteps] = useState<number>(360);
  const [index, setIndex] = useState<number | null>(null);
  const { history } = insight;
  const shown = useMemo(() => history.points.slice(-steps), [history, steps]);
  const point = index === null ? undefined : shown[index];
  return (
    <section aria-labelledby="overview">
      <div class="heading">
        <h2 id="overview">Overview</h2>
        <p class="hint">{point ? `at ${clock(point.time)}` : recently(history)}</p>
        <div class="choice" role="group" aria-label="Time shown in the charts">
          {spans.map(([n, title]) => (
            <button key={n} type="button" aria-pressed={n === steps} onClick={() => setSteps(n)}>
              {title}
            </button>
          ))}
        </div>
      </div>
      <div class="cards">
        {cards.map((c) => (
          <ChartCard key={c.title} card={c} history={history} shown={shown} steps={steps} point={point} theme={theme} onPoint={setIndex} />
        ))}
      </div>
      <Totals insight={insight} />
      <Minutes history={history} />
    </section>
  );
}

function recently(h: History): string {
  if (h.recent.seconds === 0) return "the first figures come in a few seconds";
  return h.recent.seconds < 60 ? `in the last ${h.recent.seconds} s` : "in the last minute";
}

interface CardProps {
  card: Card;
  history: History;
  shown: History["points"];
  steps: number;
  point: Figures | undefined;
  theme: Theme;
  onPoint: (i: number | null) => void;
}

function ChartCard({ card, history, shown, steps, point, theme, onPoint }: CardProps) {
  const step = history.step_seconds;
  const times = useMemo(() => shown.map((p) => Date.parse(p.time) / 1000), [shown]);
  const lines = useMemo(() => card.lines(shown, step), [shown]);
  const values = card.readings.map((r) => ({ ...r, text: point ? r.value(point, step) : r.value(history.recent, history.recent.seconds) }));
  const quiet = shown.every((p) => p.requests === 0);
  return (
    <article class="card chart">
      <h3>
        {card.title} <small>{card.explanation}</small>
      </h3>
      <dl class="readings">
        {values.map((v) => (
          <div key={v.name} class={`line-${v.style}`}>
            <dt>{v.name}</dt>
            <dd>{v.text}</dd>
          </div>
        ))}
      </dl>
      <Chart
        label={`${card.title} over time. ${recently(history)}: ${values.map((v) => `${v.name} ${v.text}`).join(", ")}. The table below the charts has the figures.`}
        times={times} span={span(times, step, steps)} lines={lines} axis={card.axis} least={card.least} theme={theme} onPoint={onPoint}
      />
      {quiet && <p class="quiet-chart">No requests in this time</p>}
    </article>
  );
}

// span is what the charts show: all that was asked for if the server is old
// enough, else since its start, but at least two minutes.
function span(times: number[], step: number, steps: number): [number, number] {
  const last = times[times.length - 1] ?? Date.now() / 1000;
  const first = times[0] ?? last;
  return [Math.max(last - (steps - 1) * step, Math.min(first, last - 120)), last];
}

function Totals({ insight }: { insight: Insight }) {
  const { kept } = insight.history;
  const flying = Object.values(insight.backends).reduce((n, b) => n + b.in_flight, 0);
  return (
    <dl class="totals">
      <Pair title="In flight now" value={count(flying)} />
      <Pair title={`In ${minutes(kept.seconds)}`} value={count(kept.requests)} more={kept.requests === 1 ? "request" : "requests"} />
      <Pair title="Failed" value={count(kept.failed)} more={kept.requests ? `(${share(kept.failed, kept.requests)})` : ""} />
      <Pair title="Over a limit" value={count(kept.limited)} />
      <Pair title="Attempts" value={count(kept.attempts)} />
      <Pair title="Tokens in" value={count(kept.input_tokens)} />
      <Pair title="Tokens out" value={count(kept.output_tokens)} />
      <Pair title="Cost" value={dollars(kept.cost)} />
    </dl>
  );
}

// minutes is a span of time, without the seconds that would change all the time.
function minutes(seconds: number): string {
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min`;
}

// Minutes is what the charts show, as a table.
function Minutes({ history }: { history: History }) {
  const [open, setOpen] = useState(false);
  return (
    <details class="more" onToggle={(e) => setOpen(e.currentTarget.open)}>
      <summary>The newest figures as a table</summary>
      {open && (
        <Table
          caption="What became of the requests, in steps of a few seconds, the newest first"
          id={(p) => p.time}
          rows={history.points.slice(-24).reverse()}
          columns={[
            { title: "From", cell: (p) => clock(p.time) },
            { title: "Requests", number: true, cell: (p) => count(p.requests) },
            { title: "Failed", number: true, cell: (p) => count(p.failed) },
            { title: "Over a limit", number: true, cell: (p) => count(p.limited) },
            { title: "Refused", number: true, cell: (p) => count(p.refused) },
            { title: "Latency p50", number: true, cell: (p) => millis(p.latency_ms?.p50) },
            { title: "p95", number: true, cell: (p) => millis(p.latency_ms?.p95) },
            { title: "p99", number: true, cell: (p) => millis(p.latency_ms?.p99) },
            { title: "First content p50", number: true, cell: (p) => millis(p.ttft_ms?.p50) },
          ]}
        />
      )}
    </details>
  );
}
