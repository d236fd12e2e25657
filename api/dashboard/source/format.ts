// Figures for people. All of them are made here, so that they look alike.

const plain = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

export const none = "–";

export function count(n: number): string {
  return n < 100000 ? plain.format(n) : compact.format(n);
}

export function decimal(n: number, digits = 2): string {
  return n.toLocaleString("en", { maximumFractionDigits: digits });
}

export function fixed(n: number, digits: number): string {
  return n.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

export function rate(perSecond: number): string {
  if (perSecond === 0) return "0";
  return perSecond < 10 ? fixed(perSecond, 2) : perSecond < 100 ? fixed(perSecond, 1) : count(Math.round(perSecond));
}

export function percent(share: number): string {
  const p = share * 100;
  if (p === 0 || p === 100) return `${p} %`;
  if (p < 0.1) return "< 0.1 %";
  return `${fixed(p, p < 10 ? 1 : 0)} %`;
}

export function millis(ms: number | null | undefined): string {
  if (ms === null || ms === undefined) return none;
  if (ms < 10) return `${fixed(ms, 1)} ms`;
  if (ms < 1000) return `${fixed(ms, 0)} ms`;
  if (ms < 100000) return `${fixed(ms / 1000, ms < 10000 ? 2 : 1)} s`;
  return `${fixed(ms / 60000, 1)} min`;
}

export function dollars(usd: number): string {
  if (usd === 0) return "$0";
  if (usd < 0.000001) return "< $0.000001";
  return `$${usd.toLocaleString("en", { maximumSignificantDigits: usd < 1 ? 2 : 4 })}`;
}

export function bytes(n: number): string {
  return `${fixed(n / 2 ** 20, 1)} MiB`;
}

// lasting is a span of time in its two biggest units.
export function lasting(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return s < 600 && s % 60 !== 0 ? `${Math.floor(s / 60)} min ${s % 60} s` : `${Math.floor(s / 60)} min`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

// ago says how long before now a moment was.
export function ago(moment: string | null | undefined, now: number): string {
  if (!moment) return "never";
  const s = (now - Date.parse(moment)) / 1000;
  return s < 1.5 ? "now" : `${lasting(s)} ago`;
}

// until says how long after now a moment is.
export function until(moment: string | null | undefined, now: number): string {
  if (!moment) return none;
  const s = (Date.parse(moment) - now) / 1000;
  return s < 1 ? "now" : `in ${lasting(s)}`;
}

const time = new Intl.DateTimeFormat("en", { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const day = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "medium", hourCycle: "h23" });

export function clock(moment: string | number): string {
  return time.format(typeof moment === "number" ? moment : Date.parse(moment));
}

export function date(moment: string): string {
  return day.format(Date.parse(moment));
}
