import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";

import type { Theme } from "./theme";

// A Line of a chart. Its values go with the chart's times; null is a gap.
export interface Line {
  style: "main" | "second" | "third" | "bad";
  values: (number | null)[];
}

interface Props {
  label: string; // what a screen reader says of the picture
  times: number[]; // seconds
  span: [number, number]; // what the horizontal axis shows, seconds
  lines: Line[];
  axis: (value: number) => string;
  least: number; // the top of the vertical axis is at least this
  theme: Theme; // a change draws the chart again
  onPoint: (index: number | null) => void; // the point under the pointer
}

const height = 150;

// All charts of the page show their cursors at the same time.
const cursors = uPlot.sync("history");

export function Chart(props: Props) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const latest = useRef(props);
  latest.current = props;
  const lines = props.lines.length;

  useEffect(() => {
    const div = place.current;
    if (!div) return;
    const p = new uPlot(options(latest, lines), data(latest.current), div);
    plot.current = p;
    const fit = new ResizeObserver(() => {
      if (div.clientWidth > 0 && div.clientWidth !== p.width) p.setSize({ width: div.clientWidth, height });
    });
    fit.observe(div);
    return () => {
      fit.disconnect();
      p.destroy();
      plot.current = null;
    };
  }, [lines]);

  useEffect(() => plot.current?.setData(data(latest.current)), [props.times, props.span[0], props.span[1]]);
  useEffect(() => plot.current?.redraw(false), [props.theme]);

  return <div class="plot" ref={place} role="img" aria-label={props.label} />;
}

function data(p: Props): uPlot.AlignedData {
  return [p.times, ...p.lines.map((l) => l.values)];
}

const widths = { main: 1.75, second: 1.5, third: 1.25, bad: 1.75 };

function options(latest: { current: Props }, lines: number): uPlot.Options {
  const style = (i: number) => latest.current.lines[i]?.style ?? "main";
  const series: uPlot.Series[] = Array.from({ length: lines }, (_, i) => ({
    stroke: () => color(`--line-${style(i)}`),
    width: widths[style(i)],
    ...(i === 0 ? { fill: () => color(`--fill-${style(i)}`) } : {}),
    points: { show: true, size: 4, filter: (_u, _s, show) => (show ? alone(latest.current.lines[i]?.values ?? []) : null), fill: () => color(`--line-${style(i)}`), width: 0 },
  }));
  const grid = { stroke: () => color("--grid"), width: 1 };
  const axis = { stroke: () => color("--muted"), font: "11px system-ui, sans-serif", grid, ticks: { show: false } };
  return {
    width: 300,
    height,
    padding: [8, 18, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false, setScale: false }, sync: { key: cursors.key }, points: { size: 7 } },
    scales: {
      x: { time: true, range: () => latest.current.span },
      y: { range: (_u, _min, max) => [0, Math.max(latest.current.least, (max ?? 0) * 1.1)] },
    },
    axes: [
      { ...axis, size: 24, space: 60, incrs: [60, 120, 300, 600], values: (_u, splits) => splits.map(minute) },
      { ...axis, size: 52, space: 34, values: (_u, splits) => splits.map((v) => latest.current.axis(v)) },
    ],
    series: [{}, ...series],
    hooks: { setCursor: [(u) => latest.current.onPoint(u.cursor.idx ?? null)] },
  };
}

// alone finds the points that no line leads to or from: they would not be seen.
function alone(values: (number | null)[]): number[] {
  const found: number[] = [];
  values.forEach((v, i) => {
    if (v !== null && (values[i - 1] ?? null) === null && (values[i + 1] ?? null) === null) found.push(i);
  });
  return found;
}

function color(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

const hourMinute = new Intl.DateTimeFormat("en", { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

function minute(seconds: number): string {
  return hourMinute.format(seconds * 1000);
}
