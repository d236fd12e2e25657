// How the page looks, and whether everybody can use it.
import assert from "node:assert/strict";
import { lowContrast, ringed, sideways, unlabelled } from "./measure.mjs";
import { Visit, world } from "./visit.mjs";

const ground = (v) => v.page.evaluate(() => getComputedStyle(document.body).backgroundColor);
const dim = (color) => color.match(/\d+/g).every((c) => Number(c) < 60);

// openDecision opens the newest decision.
async function openDecision(v) {
  await v.page.getByRole("table", { name: "The newest requests" }).getByRole("button").first().click();
  await v.page.getByRole("heading", { name: "Candidates at the first pick" }).waitFor();
}

export const looks = {
  async structure() {
    const v = await Visit.to(`${world.main}/status`);
    assert.deepEqual(await v.page.evaluate(unlabelled), []);
    await v.signedIn();
    await openDecision(v);
    await v.page.getByText("The newest figures as a table").click();
    for (const role of ["banner", "main", "navigation", "contentinfo"]) assert.equal(await v.page.getByRole(role).count(), 1, role);
    assert.equal(await v.page.getByRole("heading", { level: 1 }).count(), 1);
    assert.deepEqual(await v.page.evaluate(unlabelled), []);
    // What changes every few seconds is not read out; what matters is.
    const regions = await v.page.locator("[aria-live], [role=status], [role=alert]").evaluateAll((all) => all.map((e) => e.textContent));
    assert.deepEqual(regions, ["All models can be served3 models, 2 of 2 providers healthy."]);
    await v.end();
  },

  async dark() {
    const v = await Visit.to(`${world.main}/status`, { colorScheme: "dark" });
    assert.ok(dim(await ground(v)), "the system's dark colours are not used");
    await v.page.getByRole("button", { name: "Light colours" }).click();
    assert.ok(!dim(await ground(v)), "the switch does nothing");
    await v.page.getByRole("button", { name: "Dark colours" }).click();
    assert.ok(dim(await ground(v)));
    await v.end();

    const follow = await Visit.to(`${world.main}/status`);
    assert.ok(!dim(await ground(follow)));
    await follow.page.emulateMedia({ colorScheme: "dark" });
    await follow.page.waitForFunction(() => document.documentElement.dataset.theme === "dark");
    await follow.end();
  },

  async contrast() {
    for (const colorScheme of ["light", "dark"]) {
      const v = await Visit.to(`${world.main}/status`, { colorScheme });
      assert.deepEqual(await v.page.evaluate(lowContrast), [], `${colorScheme}, nobody signed in`);
      await v.signedIn();
      await openDecision(v);
      assert.deepEqual(await v.page.evaluate(lowContrast), [], colorScheme);
      await v.end();
    }
  },

  async narrow() {
    const v = await Visit.to(`${world.main}/status`, { viewport: { width: 360, height: 740 }, hasTouch: true });
    await v.row("Providers", "alpha").waitFor();
    assert.deepEqual(await v.page.evaluate(sideways), [], "nobody signed in");
    await v.signedIn();
    await openDecision(v);
    await v.page.getByText("The newest figures as a table").click();
    await v.settled();
    assert.deepEqual(await v.page.evaluate(sideways), []);
    // The layout takes no meaning away: rows are still found by their headings.
    await v.row("Backends of clever", "beta").getByRole("cell").first().waitFor();
    await v.end();
  },

  // All of it without a mouse, and the focus can be seen.
  async keyboard() {
    const v = await Visit.to(`${world.main}/status`);
    await v.page.getByLabel("Token of a user").waitFor();
    const focused = () => v.page.evaluate(() => document.activeElement.textContent || document.activeElement.id);
    const tab = async () => {
      await v.page.keyboard.press("Tab");
      assert.ok(await v.page.evaluate(ringed), `the focus cannot be seen on ${await focused()}`);
    };
    await tab();
    assert.equal(await focused(), "Skip to the content");
    await v.page.keyboard.press("Enter");
    await tab();
    assert.equal(await focused(), "token");
    await v.page.keyboard.type(world.token);
    await v.page.keyboard.press("Enter");
    await v.page.getByRole("heading", { name: "Overview" }).waitFor();
    const decision = () => v.page.evaluate(() => document.activeElement.classList.contains("disclose"));
    for (let i = 0; !(await decision()); i++) {
      assert.ok(i < 40, "no decision is reached");
      await tab();
    }
    await v.page.keyboard.press("Enter");
    await v.page.getByRole("heading", { name: "Attempts" }).waitFor();
    assert.ok(await decision(), "the focus has moved");
    await v.page.keyboard.press("Enter");
    await v.page.getByRole("heading", { name: "Attempts" }).waitFor({ state: "detached" });
    await v.end();
  },
};
