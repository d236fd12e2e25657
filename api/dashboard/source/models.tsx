import { useState } from "preact/hooks";

import { ago, count, decimal, fixed, millis, none, percent, until } from "./format";
import { useFirst } from "./more";
import { Bar, Mark } from "./parts";
import { Table, type Column } from "./table";
import type { Backend, Insight, Model, Weight } from "./types";
import { breaker, name, serves, standing } from "./words";

const many = 6; // from so many models on there is a filter
const few = 20; // that are shown until somebody wants more

export function ModelsSection({ insight, now }: { insight: Insight; now: number }) {
  const [wanted, setWanted] = useState("");
  const [troubled, setTroubled] = useState(false);
  const all = Object.entries(insight.models);
  const fitting = all.filter(([title, m]) => matches(title, m, wanted) && (!troubled || !sound(m, insight, now)));
  // What cannot be served must be among the first of many.
  if (fitting.length > few) fitting.sort(([, a], [, b]) => Number(serves(a)) - Number(serves(b)));
  const [shown, button] = useFirst(fitting, few);
  return (
    <section aria-labelledby="models">
      <div class="heading">
        <h2 id="models">Models</h2>
        {all.length >= many && (
          <div class="filter" role="search">
            <label class="unseen" for="model-filter">Find a model or backend</label>
            <input id="model-filter" type="search" placeholder="Find a model or backend" onInput={(e) => setWanted(e.currentTarget.value)} />
            <label>
              <input type="checkbox" onChange={(e) => setTroubled(e.currentTarget.checked)} /> only with problems
            </label>
          </div>
        )}
      </div>
      {all.length === 0 && (
        <p class="card empty">
          No models are configured. A model is a public name with backends behind it: <code>[models.NAME]</code> in the
          configuration file, which takes effect when it is saved.
        </p>
      )}
      {all.length > 0 && fitting.length === 0 && <p class="empty">{troubled ? "No model has a problem." : "No model is called so."}</p>}
      {shown.map(([title, m]) => (
        <ModelCard key={title} title={title} model={m} backends={insight.backends} now={now} />
      ))}
      {button}
    </section>
  );
}

function matches(title: string, m: Model, wanted: string): boolean {
  const w = wanted.trim().toLowerCase();
  return w === "" || title.toLowerCase().includes(w) || m.backends.some((b) => name(b).toLowerCase().includes(w));
}

// sound reports whether nothing about a model needs attention.
function sound(m: Model, insight: Insight, now: number): boolean {
  return m.backends.length > 0 && m.backends.every((w) => standing(w, insight.backends[name(w)], now).tone === "good");
}

interface CardProps {
  title: string;
  model: Model;
  backends: Record<string, Backend>;
  now: number;
}

function ModelCard({ title, model, backends, now }: CardProps) {
  const good = model.backends.filter((b) => b.healthy && b.excluded === null).length;
  const total = model.backends.length;
  const tone = !serves(model) ? "bad" : good < total ? "warn" : "good";
  const word = total === 0 ? "no backend" : `${good} of ${total} usable`;
  return (
    <article class="card model">
      <div class="heading">
        <h3>{title}</h3>
        <span class="tag">{model.strategy}</span>
        <Mark tone={tone} word={word} />
      </div>
      {total === 0 ? (
        <p class="empty">None of this model’s backends is enabled, so it answers 503.</p>
      ) : (
        <Table caption={`Backends of ${title}`} id={name} rows={model.backends} columns={columns(backends, now)} />
      )}
    </article>
  );
}

function columns(backends: Record<string, Backend>, now: number): Column<Weight>[] {
  const of = (w: Weight) => backends[name(w)];
  return [
    { title: "Backend", cell: (w) => <BackendName listing={w} /> },
    { title: "State", wide: true, cell: (w) => <State listing={w} backend={of(w)} now={now} /> },
    { title: "Breaker", cell: (w) => breaker(w.breaker) },
    { title: "Recovery", number: true, cell: (w) => percent((of(w)?.recovery_stage_percent ?? 100) / 100) },
    { title: "Share", cell: (w) => <Bar share={w.share} /> },
    { title: "Weight", number: true, cell: (w) => <WeightFigure listing={w} /> },
    { title: "Confidence", number: true, cell: (w) => (of(w) ? fixed(of(w)?.confidence ?? 0, 2) : none) },
    { title: "Latency", number: true, cell: (w) => millis(of(w)?.latency_ms) },
    { title: "In flight", number: true, cell: (w) => count(of(w)?.in_flight ?? 0) },
    { title: "Attempts", number: true, cell: (w) => count(of(w)?.total_requests ?? 0) },
    { title: "Failed", number: true, cell: (w) => failed(of(w)) },
  ];
}

function BackendName({ listing }: { listing: Weight }) {
  const notes = [`priority ${listing.priority}`, ...listing.tags];
  if (listing.billing_mode === "per_request") notes.push("billed per request");
  return (
    <span class="backend">
      <span class="who">
        {listing.provider}
        <span class="sep">:</span>
        {listing.model}
      </span>
      <small>{notes.join(" · ")}</small>
    </span>
  );
}

function State({ listing, backend, now }: { listing: Weight; backend: Backend | undefined; now: number }) {
  const s = standing(listing, backend, now);
  return (
    <span class="state">
      <Mark tone={s.tone} word={s.word} />
      {backend && s.tone !== "good" && <small>{explained(backend, now)}</small>}
    </span>
  );
}

// explained says why a backend is not well, and when it is looked at next.
function explained(b: Backend, now: number): string {
  const parts: string[] = [];
  if (b.drained) return "taken out by hand";
  if (b.last_error) {
    const status = b.last_error.status === null ? "" : ` ${b.last_error.status}`;
    parts.push(`${b.last_error.kind.replace("_", " ")}${status}, ${ago(b.last_error.at, now)}`);
  }
  if (b.next_check && !b.healthy) parts.push(`next check ${until(b.next_check, now)}`);
  return parts.join("; ");
}

function WeightFigure({ listing }: { listing: Weight }) {
  const { weight, effective_weight: effective } = listing;
  const same = Math.abs(weight - effective) < 0.005;
  return (
    <span title="as configured, and as the strategy counts it now">
      {decimal(weight)}
      {!same && <small> → {decimal(effective)}</small>}
    </span>
  );
}

function failed(b: Backend | undefined): string {
  if (!b || b.total_requests === 0) return none;
  return `${count(b.failed_requests)} (${percent(b.failed_requests / b.total_requests)})`;
}
