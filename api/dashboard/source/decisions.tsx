import { useState } from "preact/hooks";

import { DecisionDetail } from "./decision";
import { Find } from "./find";
import { clock, count, dollars, millis, none } from "./format";
import type { Live } from "./live";
import { useFirst } from "./more";
import { Mark } from "./parts";
import { Table, type Column } from "./table";
import type { Decision } from "./types";
import { kind, name, whyPicked, type Tone } from "./words";

const few = 15; // that are shown until somebody wants more

type Wanted = "all" | "failed" | "again";

// DecisionsSection lists the newest requests. While one of them is open the
// list stands still, so that it does not move away under a reader.
export function DecisionsSection({ live, decisions }: { live: Live; decisions: Decision[] }) {
  const [open, setOpen] = useState<number | null>(null);
  const [held, setHeld] = useState<Decision[] | null>(null);
  const [wanted, setWanted] = useState<Wanted>("all");
  const [model, setModel] = useState("");

  const toggle = (d: Decision) => {
    const closing = open === d.sequence;
    setOpen(closing ? null : d.sequence);
    setHeld(closing ? null : (held ?? decisions));
  };
  const all = held ?? decisions;
  const newer = held ? decisions.filter((d) => d.sequence > (held[0]?.sequence ?? 0)).length : 0;
  const fitting = all.filter((d) => (model === "" || d.model === model) && fits(d, wanted));
  const [rows, button] = useFirst(fitting, few);
  const models = [...new Set(all.map((d) => d.model))].sort();

  return (
    <section aria-labelledby="decisions">
      <div class="heading">
        <h2 id="decisions">Decisions</h2>
        <div class="filter">
          <label for="decision-outcome">Show</label>
          <select id="decision-outcome" onChange={(e) => setWanted(e.currentTarget.value as Wanted)}>
            <option value="all">all</option>
            <option value="again">tried more than once</option>
            <option value="failed">not successful</option>
          </select>
          <label for="decision-model">of</label>
          <select id="decision-model" value={model} onChange={(e) => setModel(e.currentTarget.value)}>
            <option value="">every model</option>
            {models.map((m) => <option key={m} value={m}>{m}</option>)}
          </select>
        </div>
      </div>
      <div class="card">
        <Find live={live} />
        {held && (
          <p class="held">
            The list stands still while a decision is open{newer > 0 && `; ${newer} newer`}.{" "}
            <button type="button" class="link" onClick={() => { setOpen(null); setHeld(null); }}>Go on</button>
          </p>
        )}
        {rows.length === 0 ? (
          <p class="empty">
            {all.length === 0
              ? "No request has needed a backend yet. The first one will be here, with the candidates, the pick and every attempt."
              : "None of the newest decisions fits."}
          </p>
        ) : (
          <Table
            caption="The newest requests and how they were decided, the newest first"
            id={(d) => String(d.sequence)} rows={rows} columns={columns(open, toggle)}
            detail={(d) => (open === d.sequence ? <DecisionDetail decision={d} /> : null)}
          />
        )}
        {button}
      </div>
    </section>
  );
}

function fits(d: Decision, wanted: Wanted): boolean {
  if (wanted === "failed") return d.outcome !== "success";
  return wanted === "all" || d.attempts.length > 1;
}

function columns(open: number | null, toggle: (d: Decision) => void): Column<Decision>[] {
  return [
    {
      title: "Time",
      cell: (d) => (
        <button type="button" class="disclose" aria-expanded={open === d.sequence} onClick={() => toggle(d)}>
          {clock(d.time)}
          <span class="unseen">, {d.model}, details</span>
        </button>
      ),
    },
    { title: "Model", wide: true, cell: (d) => d.model },
    { title: "User", wide: true, cell: (d) => d.user || none },
    { title: "Backend", wide: true, cell: answeredBy },
    { title: "Why", wide: true, cell: why },
    { title: "Outcome", wide: true, cell: (d) => <Mark tone={tone(d)} word={outcome(d)} /> },
    { title: "First content", number: true, cell: (d) => (d.stream ? millis(d.ttft_ms) : none) },
    { title: "Latency", number: true, cell: (d) => millis(d.latency_ms) },
    { title: "Tokens", number: true, cell: (d) => `${d.estimated ? "~" : ""}${count(d.input_tokens)} + ${count(d.output_tokens)}` },
    { title: "Cost", number: true, cell: (d) => (d.cost ? dollars(d.cost) : none) },
  ];
}

function answeredBy(d: Decision): string {
  const last = d.attempts[d.attempts.length - 1];
  return last ? name(last) : none;
}

function outcome(d: Decision): string {
  const tries = d.attempts.length;
  return d.outcome.replaceAll("_", " ") + (tries > 1 ? ` after ${tries}` : "");
}

// why is the strategy's reason, and what came between the pick and the end.
function why(d: Decision): string {
  const failed = d.attempts.slice(0, -1).map((a) => `${a.provider} ${kind(a.kind)}`);
  return failed.length === 0 ? whyPicked(d) : failed.join(", ");
}

function tone(d: Decision): Tone {
  if (d.outcome === "success") return d.attempts.length > 1 ? "warn" : "good";
  return d.status >= 500 || d.outcome === "stream_interrupted" ? "bad" : "off";
}
