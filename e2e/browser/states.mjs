// What the page shows as the world changes.
import assert from "node:assert/strict";
import { painted } from "./measure.mjs";
import { tell, Visit, world } from "./visit.mjs";

const chat = (model, stream = false) => tell(`chat?model=${model}&stream=${stream}`);

// total reads a figure below the charts.
const total = async (v, title) => {
  const text = await v.page.locator(".totals .pair", { hasText: title }).first().locator("dd").textContent();
  return Number(text.replace(/[^\d.].*/, ""));
};

// breaks makes a provider fail until the models that need it are known to be down.
async function breaks(provider, model) {
  await tell(`down?provider=${provider}`);
  for (let i = 0; i < 4; i++) await chat(model);
}

export const states = {
  // Requests become figures, and a chart.
  async figures() {
    for (let i = 0; i < 6; i++) assert.equal((await chat("pool", i % 2 === 1)).status, 200);
    const v = await Visit.to(`${world.main}/status`);
    await v.signedIn();
    await v.settled();
    await v.page.waitForFunction(() => /^[6-9]/.test([...document.querySelectorAll(".totals .pair")].find((p) => /^In \d+ (s|min)/.test(p.textContent))?.querySelector("dd").textContent ?? ""));
    assert.equal(await total(v, "Failed"), 0);
    assert.ok((await v.page.evaluate(painted)) > 500, "the chart is empty");
    await v.page.getByText("The newest figures as a table").click();
    await v.page.getByRole("table", { name: "What became of the requests" }).getByRole("rowheader").first().waitFor();
    await v.row("What users have used of their limits", "ann").filter({ hasText: "requests per minute" }).getByText(" of 500").waitFor();
    await v.sees("one user has no limit");
    await v.sees("that of the start");
    await v.end();
  },

  // A backend goes down and comes back, and an open page shows it.
  async down_and_back() {
    const v = await Visit.to(`${world.main}/status`, { allowed: [503] });
    await v.signedIn();
    const solo = v.row("Backends of solo", "alpha");
    await solo.getByText("Healthy").waitFor();
    await breaks("alpha", "solo");
    await solo.getByText(/Unhealthy|Breaker open|On trial/).waitFor();
    await solo.getByText(/server 503/).waitFor();
    await v.banner("1 of 3 models can be served").or(v.banner("2 of 3 models can be served")).waitFor();
    await v.page.getByRole("region", { name: "State" }).getByText("solo", { exact: true }).waitFor();
    await v.row("Backends of pool", "beta").getByText("100 %").first().waitFor();
    await v.showsNoSecret();
    await tell("up?provider=alpha");
    await v.banner("All models can be served").waitFor();
    await solo.getByText(/Healthy|Recovering/).waitFor();
    await v.end();
  },

  // A decision tells why its backend was picked, and what was left out.
  async decision() {
    const v = await Visit.to(`${world.main}/status`, { allowed: [404, 503] });
    await v.signedIn();
    await v.banner("All models can be served").waitFor();
    const good = await chat("pool", true);
    assert.equal(good.provider, "alpha");
    await tell("down?provider=alpha");
    const moved = await chat("pool");
    assert.deepEqual([moved.status, moved.provider], [200, "beta"]);
    const list = v.page.getByRole("table", { name: "The newest requests" });
    const open = list.getByRole("button", { name: "pool, details" }).first();
    await list.getByRole("row").nth(1).filter({ hasText: "alpha failed" }).waitFor(); // below the titles
    await open.click();
    assert.equal(await open.getAttribute("aria-expanded"), "true");
    await v.sees("alpha:up-1 was picked: lowest priority number, 1; none was left out.");
    await v.sees(/It failed, status 503\..* Then beta:up-2 \(failover\) answered\./);
    await v.row(`Attempts of request ${moved.id}`, "beta:up-2").getByText("answered").waitFor();
    await v.row(`Candidates of request ${moved.id}`, "alpha:up-1").getByText("picked").waitFor();

    // While it is open the list stands still, and says what waits.
    for (let i = 0; i < 3; i++) await chat("pool");
    await v.sees(/stands still while a decision is open; [3-9] newer/);
    await v.page.getByRole("button", { name: "Go on" }).click();
    await list.getByRole("button", { name: "pool, details" }).first().click();
    await v.sees(/left out: alpha:up-1 \((unhealthy|breaker open|trial under way)\)/);
    await v.page.getByRole("button", { name: "Go on" }).click();

    // By the id that the client was told; and one that nobody has.
    const find = v.page.getByLabel("Request", { exact: true });
    await find.fill(good.id);
    await find.press("Enter");
    await v.row(`Attempts of request ${good.id}`, "alpha:up-1").getByText("answered").waitFor();
    await find.fill("never/seen?");
    await find.press("Enter");
    await v.sees("No such request is kept");
    await v.page.getByRole("button", { name: "Close" }).click();
    assert.equal(await find.inputValue(), "");
    await v.showsNoSecret();
    await tell("up?provider=alpha");
    await v.banner("All models can be served").waitFor();
    await v.end();
  },

  // A page that was just opened shows what went before.
  async past() {
    const v = await Visit.to(`${world.main}/status`);
    await v.signedIn();
    await v.settled();
    assert.ok((await total(v, "requests")) >= 12, "the past is missing");
    assert.ok((await v.page.getByRole("table", { name: "The newest requests" }).getByRole("row").count()) > 10);
    await v.end();
  },

  // Everything is down, and the page is of use.
  async all_down() {
    const v = await Visit.to(`${world.main}/status`, { allowed: [503] });
    await v.signedIn();
    await breaks("alpha", "solo");
    await breaks("beta", "pool");
    await v.banner("No model can be served").waitFor();
    assert.equal(await v.page.title(), "Berry API: unhealthy");
    await v.row("Backends of pool", "beta").getByText(/server 503/).waitFor();
    await v.row("Backends of pool", "beta").getByText(/next check/).waitFor();
    await v.page.getByLabel("Show", { exact: true }).selectOption("not successful");
    await v.page.getByRole("table", { name: "The newest requests" }).getByText(/upstream error|no backend available/).first().waitFor();
    await v.showsNoSecret();
    for (const p of ["alpha", "beta"]) await tell(`up?provider=${p}`);
    await v.banner("All models can be served").waitFor();
    await v.end();
  },

  // No answer: the page says so, keeps what it has, and comes back by itself.
  async lost() {
    const v = await Visit.to(`${world.main}/status`);
    await v.signedIn();
    v.offline = true;
    await v.context.setOffline(true);
    await v.banner("Berry does not answer").waitFor();
    await v.sees(/What is shown is as of \d\d:\d\d:\d\d/);
    await v.row("Backends of pool", "alpha").waitFor();
    await v.context.setOffline(false);
    await v.banner("All models can be served").waitFor();
    v.offline = false;
    await v.end();
  },

  // Nothing is asked while nobody looks, or when it is paused.
  async hidden() {
    const v = await Visit.to(`${world.main}/status`);
    await v.signedIn();
    const hide = (hidden) => v.page.evaluate((h) => {
      Object.defineProperty(document, "hidden", { configurable: true, get: () => h });
      document.dispatchEvent(new Event("visibilitychange"));
    }, hidden);
    // quiet waits for the round that is under way, then sees that none follows.
    const quiet = async () => {
      await v.page.waitForTimeout(1000);
      const before = v.asked.length;
      await v.page.waitForTimeout(3500);
      assert.equal(v.asked.length, before, "it has asked");
    };
    const busy = () => v.page.waitForRequest((r) => r.url().endsWith("/health"), { timeout: 10000 });
    await hide(true);
    await quiet();
    await Promise.all([busy(), hide(false)]);
    await v.page.getByRole("button", { name: "Pause" }).click();
    await v.page.getByText("Paused").waitFor();
    await quiet();
    await Promise.all([busy(), v.page.getByRole("button", { name: "Resume" }).click()]);
    await v.end();
  },

  // Nothing is configured: each section says what would be there.
  async empty() {
    const v = await Visit.to(`${world.empty}/status`);
    await v.banner("Nothing is configured yet").waitFor();
    await v.sees("No provider is used by a model.");
    await v.signedIn();
    await v.sees("No models are configured.");
    await v.sees("No request has needed a backend yet.");
    await v.sees("No user has a limit.");
    await v.end();
  },
};
