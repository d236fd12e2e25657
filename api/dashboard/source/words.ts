// What the server's short words mean, for people who have not read its manual.

import { fixed, millis, percent } from "./format";
import type { Backend, Breaker, Candidate, Decision, Model, Weight } from "./types";

export type Tone = "good" | "warn" | "bad" | "off";

// A Standing is what matters most about a backend now.
export interface Standing {
  tone: Tone;
  word: string;
}

export function standing(w: Weight, b: Backend | undefined, now: number): Standing {
  if (b?.drained) return { tone: "off", word: "Drained" };
  if (w.breaker === "open") return { tone: "bad", word: "Breaker open" };
  const rest = b?.cool_down_until ? Math.ceil((Date.parse(b.cool_down_until) - now) / 1000) : 0;
  if (rest > 0) return { tone: "warn", word: `Cooling down, ${rest} s` };
  if (w.breaker === "half_open") return { tone: "warn", word: "On trial" };
  if (!w.healthy) return { tone: "bad", word: "Unhealthy" };
  if (w.excluded !== null) return { tone: "warn", word: sentence(w.excluded) };
  if (b && b.recovery_stage_percent < 100) return { tone: "warn", word: `Recovering, ${b.recovery_stage_percent} %` };
  return { tone: "good", word: "Healthy" };
}

export function breaker(b: Breaker): string {
  return b.replace("_", "-");
}

// serves says whether a model has a backend that is healthy and can be used.
export function serves(m: Model): boolean {
  return m.backends.some((b) => b.healthy && b.excluded === null);
}

export function name(b: { provider: string; model: string }): string {
  return `${b.provider}:${b.model}`;
}

export function sentence(words: string): string {
  return words.charAt(0).toUpperCase() + words.slice(1);
}

const kinds: Record<string, string> = {
  success: "answered",
  network: "could not be reached",
  timeout: "took too long",
  server: "failed",
  rate_limit: "asked to be left alone",
  auth: "refused our key",
  model: "does not have the model",
  caller: "refused the request",
  cancelled: "was left by the client",
};

export function kind(k: string): string {
  return kinds[k] ?? k;
}

const reasons: Record<string, string> = {
  first: "first pick",
  same_backend: "once more on the same",
  failover: "failover",
  rate_limit: "after the wait it asked for",
  context: "the prompt was too long before",
  resume: "to go on with a broken stream",
};

export function reason(why: string): string {
  return reasons[why] ?? why;
}

// whyPicked says in a few words what the strategy went by.
export function whyPicked(d: Decision): string {
  const c = d.candidates.find((c) => c.picked);
  if (!c) return "no backend could be picked";
  const open = d.candidates.filter((c) => c.excluded === null);
  if (open.length === 1 && d.omitted_candidates === 0) return "the only one left";
  switch (d.strategy) {
    case "failover":
      return `lowest priority number, ${c.priority}`;
    case "least_latency":
      return c.latency_ms === null ? "not measured yet" : `lowest latency, ${millis(c.latency_ms)}`;
    case "round_robin":
      return "its turn";
    case "random":
      return "at random, all alike";
    case "smart_ai":
      return `${percent(c.share)} share at confidence ${fixed(c.confidence, 2)}`;
    default:
      return `by weight, ${percent(c.share)} share`;
  }
}

// leftOut says which candidates could not be picked, and why.
export function leftOut(candidates: Candidate[]): string {
  const out = candidates.filter((c) => c.excluded !== null).map((c) => `${name(c)} (${c.excluded})`);
  return out.length === 0 ? "none was left out" : `left out: ${out.join(", ")}`;
}

// story tells a decision in sentences.
export function story(d: Decision): string {
  const picked = d.candidates.find((c) => c.picked);
  let text = picked ? `${name(picked)} was picked: ${whyPicked(d)}; ${leftOut(d.candidates)}.` : `${sentence(whyPicked(d))}; ${leftOut(d.candidates)}.`;
  for (const [i, a] of d.attempts.entries()) {
    const again = i === 0 ? "It" : `Then ${name(a)} (${reason(a.why)})`;
    const status = a.status !== null && a.kind !== "success" ? `, status ${a.status}` : "";
    text += ` ${again} ${kind(a.kind)}${status}.`;
  }
  if (d.outcome !== "success") text += ` The client got ${d.outcome.replaceAll("_", " ")}, status ${d.status}.`;
  return text;
}

const windows: Record<string, string> = {
  requests_per_minute: "requests per minute",
  requests_per_hour: "requests per hour",
  requests_per_day: "requests per day",
  tokens_per_minute: "tokens per minute",
};

export function windowName(key: string): string {
  return windows[key] ?? key;
}
