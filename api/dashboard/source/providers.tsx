import { ago, count, millis, none, percent } from "./format";
import { Mark } from "./parts";
import { Table } from "./table";
import type { Metrics } from "./types";

// ProvidersSection is what everybody may see when settings.public_status is on.
export function ProvidersSection({ metrics, now }: { metrics: Metrics; now: number }) {
  const rows = Object.entries(metrics.providers).map(([id, p]) => ({ id, ...p }));
  return (
    <section aria-labelledby="providers">
      <div class="heading">
        <h2 id="providers">Providers</h2>
      </div>
      <div class="card">
        {rows.length === 0 ? (
          <p class="empty">No provider is used by a model.</p>
        ) : (
          <Table
            caption="Providers" id={(p) => p.id} rows={rows}
            columns={[
              { title: "Provider", cell: (p) => p.id },
              { title: "State", cell: (p) => <Mark tone={p.healthy ? "good" : "bad"} word={p.healthy ? "Healthy" : "Unhealthy"} /> },
              { title: "Backends healthy", number: true, cell: (p) => healthyOf(p.models) },
              { title: "Attempts", number: true, cell: (p) => count(p.total_requests) },
              { title: "Failed", number: true, cell: (p) => (p.total_requests ? percent(p.failed_requests / p.total_requests) : none) },
              { title: "Average latency", number: true, cell: (p) => (p.average_latency_ms ? millis(p.average_latency_ms) : none) },
              { title: "Last check", number: true, cell: (p) => ago(p.last_check, now) },
            ]}
          />
        )}
      </div>
    </section>
  );
}

function healthyOf(models: Record<string, { healthy: boolean }>): string {
  const all = Object.values(models);
  return `${all.filter((m) => m.healthy).length} of ${all.length}`;
}
