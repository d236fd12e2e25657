// Takes the pictures whose names it is given, as FOLDER/dashboard-NAME.png.
import { mkdir } from "node:fs/promises";
import { browser, Visit, world } from "../visit.mjs";

const wide = { viewport: { width: 1360, height: 1200 } };
const low = { viewport: { width: 1360, height: 860 } };

async function signedIn(url, options) {
  const v = await Visit.to(url, { allowed: [503], ...options });
  await v.signedIn();
  await v.settled();
  await v.page.waitForTimeout(3000);
  return v;
}

const pictures = {
  async wide() {
    return signedIn(`${world.main}/status`, wide);
  },
  async dark() {
    return signedIn(`${world.main}/status`, { ...wide, colorScheme: "dark" });
  },
  async "all-down"() {
    return signedIn(`${world.main}/status`, wide);
  },
  async phone() {
    return signedIn(`${world.main}/status`, { viewport: { width: 360, height: 1400 }, deviceScaleFactor: 1.5 });
  },
  async decision() {
    const v = await signedIn(`${world.main}/status`, low);
    await v.page.getByLabel("Show", { exact: true }).selectOption("tried more than once");
    await v.page.getByRole("table", { name: "The newest requests" }).getByRole("button").first().click();
    await v.page.getByRole("heading", { name: "Decisions" }).scrollIntoViewIfNeeded();
    await v.page.evaluate(() => document.getElementById("decisions").scrollIntoView({ behavior: "instant" }));
    return v;
  },
  async signin() {
    const v = await Visit.to(`${world.main}/status`, { viewport: { width: 1360, height: 640 } });
    await v.row("Providers", "openai").waitFor();
    return v;
  },
  async empty() {
    return signedIn(`${world.empty}/status`, { viewport: { width: 1360, height: 1100 } });
  },
};

await mkdir(world.folder, { recursive: true });
for (const name of world.pictures) {
  const v = await pictures[name]();
  await v.page.screenshot({ path: `${world.folder}/dashboard-${name}.png` });
  await v.end();
  console.log(name);
}
await browser.close();
