import { date, dollars, fixed, millis, none, percent, decimal } from "./format";
import { Bar, Mark } from "./parts";
import { Table } from "./table";
import type { Attempt, Candidate, Decision } from "./types";
import { breaker, kind, name, reason, sentence, story } from "./words";

// DecisionDetail is all that is known of one decision.
export function DecisionDetail({ decision: d }: { decision: Decision }) {
  return (
    <div class="decision">
      <p class="story">{story(d)}</p>
      <p class="hint">
        <code>{d.request_id}</code> · {date(d.time)} · {d.endpoint} · {d.strategy} · {d.stream ? "stream" : "plain answer"}
      </p>
      <h3>Candidates at the first pick</h3>
      <Table
        caption={`Candidates of request ${d.request_id}`} id={name} rows={d.candidates}
        columns={[
          { title: "Backend", cell: (c) => name(c) },
          { title: "Verdict", wide: true, cell: (c) => <Verdict candidate={c} /> },
          { title: "Share", cell: (c) => <Bar share={c.share} /> },
          { title: "Weight", number: true, cell: (c) => `${decimal(c.weight)} → ${decimal(c.effective_weight)}` },
          { title: "Priority", number: true, cell: (c) => String(c.priority) },
          { title: "Latency", number: true, cell: (c) => millis(c.latency_ms) },
          { title: "Confidence", number: true, cell: (c) => fixed(c.confidence, 2) },
          { title: "Cost", number: true, cell: (c) => (c.cost ? dollars(c.cost) : none) },
          { title: "Recovery", number: true, cell: (c) => percent(c.recovery_stage_percent / 100) },
          { title: "Breaker", cell: (c) => breaker(c.breaker) },
        ]}
      />
      {d.omitted_candidates > 0 && <p class="hint">and {d.omitted_candidates} more, which are not kept</p>}
      <h3>Attempts</h3>
      {d.attempts.length === 0 ? (
        <p class="empty">None: there was nothing to try.</p>
      ) : (
        <Table
          caption={`Attempts of request ${d.request_id}`}
          id={(a) => String(a.index)} rows={d.attempts.map((a, i) => ({ ...a, index: i + 1 }))}
          columns={[
            { title: "Attempt", cell: (a) => `${a.index}. ${name(a)}` },
            { title: "Why", wide: true, cell: (a) => sentence(reason(a.why)) },
            { title: "Result", wide: true, cell: (a) => <Result attempt={a} /> },
            { title: "Pause before", number: true, cell: (a) => (a.pause_ms ? millis(a.pause_ms) : none) },
            { title: "First content", number: true, cell: (a) => millis(a.ttft_ms) },
            { title: "Took", number: true, cell: (a) => millis(a.latency_ms) },
          ]}
        />
      )}
    </div>
  );
}

function Verdict({ candidate: c }: { candidate: Candidate }) {
  if (c.picked) return <Mark tone="good" word="picked" />;
  return c.excluded === null ? <span class="muted">not picked</span> : <Mark tone="off" word={`left out: ${c.excluded}`} />;
}

function Result({ attempt: a }: { attempt: Attempt }) {
  const good = a.kind === "success";
  const status = a.status === null ? "" : ` (${a.status})`;
  return <Mark tone={good ? "good" : a.kind === "cancelled" || a.kind === "caller" ? "off" : "bad"} word={kind(a.kind) + (good ? "" : status)} />;
}
