// A browser, and visits to pages in it that are watched for what must not happen.
import assert from "node:assert/strict";
import { chromium } from "playwright-core";

export const world = JSON.parse(process.env.BERRY_WORLD);

const flags = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
];

// A new, empty profile each time: nothing is left of earlier runs.
export const browser = await chromium.launch({ executablePath: world.chromium, args: flags });

// A Visit is a page in a context of its own: no cookies or storage of others.
export class Visit {
  // allowed are the statuses that the browser may complain about.
  static async to(url, { allowed = [], ...options } = {}) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
    const page = await context.newPage();
    page.setDefaultTimeout(20000);
    const visit = new Visit();
    Object.assign(visit, { context, page, url, complaints: [], asked: [] });
    page.on("console", (m) => visit.complain(m, allowed));
    page.on("pageerror", (e) => visit.complaints.push(`error: ${e.message}`));
    page.on("request", (r) => visit.asked.push(r.url()));
    await page.goto(url);
    return visit;
  }

  complain(message, allowed) {
    if (!["error", "warning"].includes(message.type())) return;
    const status = message.text().match(/responded with a status of (\d+)/)?.[1];
    if (allowed.includes(Number(status)) || (this.offline && message.text().includes("ERR_INTERNET_DISCONNECTED"))) return;
    this.complaints.push(`${message.type()}: ${message.text()} (${message.location().url})`);
  }

  // end checks what holds for every visit, and leaves.
  async end() {
    assert.deepEqual(this.complaints, []);
    const origin = new URL(this.url).origin;
    assert.deepEqual(this.asked.filter((u) => !u.startsWith(`${origin}/`)), [], "requests to elsewhere");
    for (const u of this.asked) assert.ok(!world.secrets.some((s) => u.includes(s)), "a secret is in an address");
    await this.keepsNothing();
    await this.showsNoSecret();
    await this.context.close();
  }

  // keepsNothing: not in cookies, storage, caches, databases nor the address.
  async keepsNothing() {
    const state = await this.context.storageState({ indexedDB: true });
    assert.deepEqual(state, { cookies: [], origins: [] });
    const kept = await this.page.evaluate(async () => ({
      local: localStorage.length, session: sessionStorage.length, cookie: document.cookie,
      caches: (await caches.keys()).length, databases: (await indexedDB.databases()).length, hash: location.search,
    }));
    assert.deepEqual(kept, { local: 0, session: 0, cookie: "", caches: 0, databases: 0, hash: "" });
  }

  async showsNoSecret() {
    const page = await this.page.content();
    world.secrets.forEach((s, i) => assert.ok(!page.includes(s), `secret ${i} is on the page`));
  }

  async signIn(token = world.token) {
    await this.page.getByLabel("Token of a user").fill(token);
    await this.page.getByRole("button", { name: "Sign in" }).click();
  }

  async signedIn() {
    await this.signIn();
    await this.page.getByRole("heading", { name: "Overview" }).waitFor();
  }

  // sees waits for text on the page.
  async sees(text) {
    await this.page.getByText(text).first().waitFor();
  }

  // row is a row of a table, by the table's caption and the row's heading.
  row(table, heading) {
    return this.page.getByRole("table", { name: table }).getByRole("row").filter({ has: this.page.getByRole("rowheader", { name: heading }) });
  }

  banner(title) {
    return this.page.getByRole("status").getByRole("heading", { name: title });
  }

  // settled waits until the page has drawn what it knows.
  async settled() {
    await this.page.waitForFunction(() => document.querySelectorAll("canvas").length === 4);
  }
}

// tell changes the world: see world_test.go.
export async function tell(what) {
  const answer = await fetch(`${world.control}/${what}`, { method: "POST" });
  assert.equal(answer.status, 200, what);
  const text = await answer.text();
  return text === "" ? null : JSON.parse(text);
}
