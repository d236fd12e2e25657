// New answers put together with what the page has already.

import type { Decision, History } from "./types";

const keptDecisions = 300;
const keptPoints = 360;

// newestFirst adds decisions to older ones; both are the newest first.
export function newestFirst(old: Decision[], fresh: Decision[]): Decision[] {
  if (fresh.length === 0) return old;
  const known = fresh[fresh.length - 1]?.sequence ?? 0;
  return [...fresh, ...old.filter((d) => d.sequence < known)].slice(0, keptDecisions);
}

// withNewer adds the points that old has and fresh has not.
export function withNewer(old: History | null, fresh: History): History {
  const first = fresh.points[0]?.time;
  if (old === null || first === undefined) return fresh;
  const before = old.points.filter((p) => p.time < first);
  return { ...fresh, points: [...before, ...fresh.points].slice(-keptPoints) };
}
