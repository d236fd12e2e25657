// The dashboard in a real browser. Prints one JSON line per case: {"case", "error"}.
import { browser } from "./visit.mjs";
import { access } from "./access.mjs";
import { looks } from "./looks.mjs";
import { states } from "./states.mjs";

for (const [name, run] of Object.entries({ ...access, ...states, ...looks })) {
  let error = "";
  try {
    await run();
  } catch (e) {
    error = e.stack ?? String(e);
  }
  console.log(JSON.stringify({ case: name, error }));
}
await browser.close();
