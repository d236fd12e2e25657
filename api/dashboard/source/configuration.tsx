import { ago, bytes, count, date, lasting } from "./format";
import { Mark, Pair } from "./parts";
import type { Stats } from "./types";

export function ConfigurationSection({ stats, now }: { stats: Stats; now: number }) {
  const c = stats.configuration;
  return (
    <section aria-labelledby="configuration">
      <div class="heading">
        <h2 id="configuration">Configuration</h2>
        {c.last_reload && (
          <Mark
            tone={c.last_reload.successful ? "good" : "bad"}
            word={c.last_reload.successful ? "the last reload took effect" : "the last reload was refused, the old configuration runs"}
          />
        )}
      </div>
      <dl class="card totals">
        <Pair title="Generation" value={count(c.generation)} more={c.generation === 1 ? "that of the start" : ""} />
        <Pair title="Loaded" value={ago(c.loaded_at, now)} more={date(c.loaded_at)} />
        <Pair title="Last reload" value={c.last_reload ? ago(c.last_reload.at, now) : "none yet"} more={c.last_reload ? date(c.last_reload.at) : ""} />
        <Pair title="SHA-256 of the file" value={c.sha256.slice(0, 12)} />
        <Pair title="Models" value={count(stats.models)} />
        <Pair title="Users" value={count(stats.users)} />
        <Pair title="Running for" value={lasting(stats.uptime_seconds)} />
        <Pair title="Memory" value={bytes(stats.go.heap_bytes)} more="heap" />
        <Pair title="Goroutines" value={count(stats.go.goroutines)} more={`on ${stats.go.cpus} CPUs, ${stats.go.version}`} />
      </dl>
    </section>
  );
}
