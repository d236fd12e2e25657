// The page's knowledge, kept fresh by asking. There is one Live; components
// read its state and are told when that changes.

import { ask, Refusal } from "./ask";
import { newestFirst, withNewer } from "./merge";
import type { Backend, Decision, Health, History, Insight, Metrics, Model, Stats, Usage } from "./types";

export type Data = "public" | "private" | "elsewhere";

export interface State {
  health: Health | null;
  metrics: Metrics | null; // null: not for everybody, or not here
  insight: Insight | null; // null: nobody signed in
  data: Data;
  signedIn: boolean;
  notice: string; // why an administrator was signed out; "": was not
  answeredAt: number; // this machine's clock, in ms; 0: never
  ahead: number; // how far the server's clock is ahead of this one, in ms
  lost: boolean; // the last attempt got no answer
  paused: boolean; // by hand
}

const pace = 2000; // between two rounds, in ms
const slowest = 15000; // between two rounds while there is no answer
const slowRounds = 3; // what changes slowly is asked for in every third round

export class Live {
  state: State;

  // The token lives here and nowhere else: not in the state, which components
  // draw, nor in anything that a browser keeps.
  #token: string | null = null;
  #listeners = new Set<() => void>();
  #timer: number | undefined;
  #round = 0;
  #failures = 0;
  #busy = false;
  #hurry = false; // something has changed during a round: the next one comes at once
  #forget = false; // the server was started anew: its counts began again

  constructor(data: Data) {
    this.state = {
      health: null, metrics: null, insight: null, data, signedIn: false, notice: "",
      answeredAt: 0, ahead: 0, lost: false, paused: false,
    };
  }

  subscribe(told: () => void): () => void {
    this.#listeners.add(told);
    return () => this.#listeners.delete(told);
  }

  // start begins to ask. A page that nobody sees asks for nothing.
  start(): void {
    document.addEventListener("visibilitychange", () => this.#again(0));
    this.#again(0);
  }

  pause(paused: boolean): void {
    this.#set({ paused });
    this.#again(0);
  }

  // signIn tries a token. It returns "" or why it cannot be used.
  async signIn(token: string): Promise<string> {
    try {
      await ask<Stats>("admin/system-stats", token);
    } catch (e) {
      return whyNot(e);
    }
    this.#token = token;
    this.#round = 0;
    this.#set({ signedIn: true, notice: "", paused: false });
    this.#again(0);
    return "";
  }

  signOut(notice = ""): void {
    this.#token = null;
    this.#set({ signedIn: false, insight: null, notice });
    this.#again(0);
  }

  // decision gets that of one request, or says why there is none.
  async decision(id: string): Promise<Decision | string> {
    try {
      return await ask<Decision>(`admin/decisions/${encodeURIComponent(id)}`, this.#token);
    } catch (e) {
      return e instanceof Refusal && e.status === 404
        ? "No such request is kept: only the newest are, and none that was refused before a backend was picked."
        : whyNot(e);
    }
  }

  #set(change: Partial<State>): void {
    this.state = { ...this.state, ...change };
    for (const told of this.#listeners) told();
  }

  #again(after: number): void {
    window.clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#hurry ||= this.#busy && after === 0;
    if (document.hidden || this.state.paused || this.#busy) return;
    this.#timer = window.setTimeout(() => void this.#ask(), after);
  }

  async #ask(): Promise<void> {
    this.#busy = true;
    try {
      await this.#once();
      this.#failures = 0;
    } catch {
      this.#failures++;
      this.#set({ lost: true });
    }
    const next = this.#hurry ? 0 : Math.min(slowest, pace * 2 ** Math.max(0, this.#failures - 1));
    this.#busy = this.#hurry = false;
    this.#again(next);
  }

  async #once(): Promise<void> {
    const token = this.#token;
    const slow = this.#round % slowRounds === 0;
    this.#round++;
    const [health, metrics, insight] = await Promise.all([
      ask<Health>("health", null, [200, 503]),
      this.#metrics(token),
      token === null ? null : this.#insight(token, slow),
    ]);
    this.#forget = health.uptime_seconds < (this.state.health?.uptime_seconds ?? 0);
    const now = Date.now();
    // The server's moments are whole seconds: on average half of one has passed.
    const measured = Date.parse(health.timestamp) + 500 - now;
    const ahead = Math.abs(measured - this.state.ahead) > 1500 ? measured : this.state.ahead;
    const stale = token !== this.#token; // signed in or out meanwhile
    this.#set({ health, metrics, answeredAt: now, ahead, lost: false, ...(stale ? {} : { insight }) });
  }

  // metrics asks for what is for everybody while nobody is signed in.
  async #metrics(token: string | null): Promise<Metrics | null> {
    if (token !== null || this.state.data !== "public") return null;
    try {
      return await ask<Metrics>("metrics", null);
    } catch (e) {
      if (!(e instanceof Refusal)) throw e;
      this.#set({ data: e.status === 404 ? "elsewhere" : "private" }); // a reload has changed it
      return null;
    }
  }

  async #insight(token: string, slow: boolean): Promise<Insight | null> {
    const old = this.#forget ? null : this.state.insight;
    try {
      const [models, backends, decisions, rest] = await Promise.all([
        ask<{ models: Record<string, Model> }>("admin/model-weights", token),
        ask<{ backends: Record<string, Backend> }>("admin/backend-health", token),
        this.#decisions(token, old),
        old === null || slow ? this.#slow(token, old) : old,
      ]);
      return { ...rest, models: models.models, backends: backends.backends, decisions };
    } catch (e) {
      if (!(e instanceof Refusal) || (e.status !== 401 && e.status !== 403)) throw e;
      if (token === this.#token) this.signOut("The token is no longer accepted. Sign in again to go on.");
      return null;
    }
  }

  async #decisions(token: string, old: Insight | null): Promise<Decision[]> {
    const after = old?.decisions[0]?.sequence ?? 0;
    const got = await ask<{ decisions: Decision[] }>(`admin/decisions?limit=200&after=${after}`, token);
    return newestFirst(old?.decisions ?? [], got.decisions);
  }

  async #slow(token: string, old: Insight | null): Promise<{ history: History; stats: Stats; limits: Record<string, Usage> }> {
    const query = old === null ? "" : `?points=${missing(old.history, this.state.ahead)}`;
    const [history, stats, limits] = await Promise.all([
      ask<History>(`admin/history${query}`, token),
      ask<Stats>("admin/system-stats", token),
      ask<{ users: Record<string, Usage> }>("admin/rate-limit-usage", token),
    ]);
    return { history: withNewer(old?.history ?? null, history), stats, limits: limits.users };
  }
}

// missing is how many points the server has that the page has not, and one more.
function missing(history: History, ahead: number): number {
  const passed = (Date.now() + ahead - Date.parse(history.timestamp)) / 1000 / history.step_seconds;
  return Math.min(360, Math.max(1, Math.ceil(passed) + 2));
}

function whyNot(e: unknown): string {
  if (!(e instanceof Refusal)) {
    return e instanceof TypeError && e.message.includes("Headers")
      ? "A token has no such characters."
      : "Berry does not answer. Try again in a moment.";
  }
  switch (e.status) {
    case 401:
      return "Berry does not know this token.";
    case 403:
      return "This user may not see the figures: the token must be that of a user with the tag “admin”.";
    case 404:
      return "The figures are on the admin address only (settings.admin_bind_address). Open this page there.";
    case 429:
      return `Too many wrong tokens from this address. Wait ${e.retryAfter ?? 60} s.`;
    default:
      return `Berry refuses: ${e.message}`;
  }
}
