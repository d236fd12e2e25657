import { count, none, until } from "./format";
import { useFirst } from "./more";
import { Bar } from "./parts";
import { Table } from "./table";
import type { Usage } from "./types";
import { windowName } from "./words";

const few = 20; // that are shown until somebody wants more

interface Row {
  id: string;
  user: string;
  limit: string;
  used: number;
  most: number;
  resets: string | null;
}

export function LimitsSection({ limits, users, now }: { limits: Record<string, Usage>; users: number; now: number }) {
  const all = Object.entries(limits).flatMap(([user, u]) => rowsOf(user, u));
  // Of many, those that are nearest to their limits come first.
  if (all.length > few) all.sort((a, b) => b.used / b.most - a.used / a.most);
  const [rows, button] = useFirst(all, few);
  const without = users - Object.keys(limits).length;
  return (
    <section aria-labelledby="limits">
      <div class="heading">
        <h2 id="limits">Limits</h2>
        {rows.length > 0 && without > 0 && <p class="hint">{without === 1 ? "one user has" : `${without} users have`} no limit</p>}
      </div>
      <div class="card">
        {rows.length === 0 ? (
          <p class="empty">
            {users === 0
              ? "No users are configured: nobody can use the API."
              : "No user has a limit. One is set in [users.NAME.rate_limit] of the configuration file."}
          </p>
        ) : (
          <Table
            caption="What users have used of their limits" id={(r) => r.id} rows={rows}
            columns={[
              { title: "User", cell: (r) => r.user },
              { title: "Limit", wide: true, cell: (r) => r.limit },
              { title: "Used", wide: true, cell: (r) => <Bar full share={r.used / r.most} text={`${count(r.used)} of ${count(r.most)}`} /> },
              { title: "Left", number: true, cell: (r) => count(Math.max(0, r.most - r.used)) },
              { title: "All free again", number: true, cell: (r) => (r.resets && r.used > 0 ? until(r.resets, now) : none) },
            ]}
          />
        )}
        {button}
      </div>
    </section>
  );
}

function rowsOf(user: string, u: Usage): Row[] {
  const rows: Row[] = u.windows.map((w) => ({
    id: `${user} ${w.name}`, user, limit: windowName(w.name), used: w.used, most: w.limit, resets: w.resets_at,
  }));
  if (u.max_concurrent_requests > 0) {
    rows.push({ id: `${user} concurrent`, user, limit: "requests at a time", used: u.concurrent_requests, most: u.max_concurrent_requests, resets: null });
  }
  return rows;
}
