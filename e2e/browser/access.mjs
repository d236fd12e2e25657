// Who sees what, and what becomes of a token.
import assert from "node:assert/strict";
import http from "node:http";
import { Visit, world } from "./visit.mjs";

export const access = {
  async loads() {
    const v = await Visit.to(`${world.main}/`);
    await v.banner("All models can be served").waitFor();
    await v.row("Providers", "alpha").getByText("Healthy").waitFor();
    assert.equal(await v.page.title(), "Berry API: healthy");
    assert.equal(await v.page.getByRole("heading", { name: "Overview" }).count(), 0);
    const paths = new Set(v.asked.map((u) => new URL(u).pathname));
    assert.deepEqual([...paths].sort(), ["/", "/health", "/metrics", "/status/app.css", "/status/app.js", "/status/icon.svg"]);
    await v.end();
  },

  async wrong_token() {
    const v = await Visit.to(`${world.main}/status`, { allowed: [401, 403] });
    const problem = v.page.getByRole("alert");
    await v.signIn(world.wrongToken);
    await problem.getByText("Berry does not know this token.").waitFor();
    const field = v.page.getByLabel("Token of a user");
    assert.equal(await field.inputValue(), "");
    assert.equal(await field.getAttribute("aria-invalid"), "true");
    assert.ok(await field.evaluate((e) => e === document.activeElement), "the field has lost the focus");
    await v.signIn(world.userToken);
    await problem.getByText("must be that of a user with the tag “admin”").waitFor();
    await v.signIn("");
    await problem.getByText("Enter a token first.").waitFor();
    await v.signIn("größer 世界");
    await problem.getByText("A token has no such characters.").waitFor();
    assert.equal(await v.page.getByRole("heading", { name: "Overview" }).count(), 0);
    await v.end();
  },

  async right_token() {
    const v = await Visit.to(`${world.main}/status`);
    await v.signedIn();
    await v.keepsNothing();
    await v.showsNoSecret();
    // A page that is loaded again has forgotten it.
    await v.page.reload();
    await v.page.getByRole("heading", { name: "Sign in to see more" }).waitFor();
    await v.signedIn();
    await v.page.getByRole("button", { name: "Sign out" }).click();
    await v.page.getByRole("heading", { name: "Sign in to see more" }).waitFor();
    assert.equal(await v.page.getByRole("table", { name: "Backends of pool" }).count(), 0);
    await v.end();
  },

  // A token that is taken away while the page is open.
  async revoked() {
    const v = await Visit.to(`${world.main}/status`, { allowed: [401] });
    await v.signedIn();
    await v.context.route("**/admin/**", (route) => route.fulfill({ status: 401, json: { error: { message: "no" } } }));
    await v.sees("The token is no longer accepted.");
    assert.equal(await v.page.getByRole("table", { name: "Backends of pool" }).count(), 0);
    await v.row("Providers", "alpha").waitFor();
    await v.context.unroute("**/admin/**");
    await v.signedIn();
    await v.end();
  },

  // public_status is off: the page knows, and does not try.
  async private() {
    const v = await Visit.to(`${world.private}/status`);
    await v.banner("All models can be served").waitFor();
    await v.sees("settings.public_status is off");
    assert.equal(await v.page.getByRole("heading", { name: "Providers" }).count(), 0);
    await v.signedIn();
    await v.row("Backends of pool", "alpha").waitFor();
    assert.ok(!v.asked.some((u) => u.endsWith("/metrics")), "it has asked for what is not public");
    await v.end();
  },

  // admin_bind_address is set: the figures are there, health is everywhere.
  async apart() {
    const v = await Visit.to(`${world.api}/status`);
    await v.banner("All models can be served").waitFor();
    await v.sees("The figures are on another address");
    assert.equal(await v.page.getByRole("textbox").count(), 0);
    assert.deepEqual([...new Set(v.asked.map((u) => new URL(u).pathname))].filter((p) => !p.startsWith("/status")), ["/health"]);
    await v.end();

    const admin = await Visit.to(`${world.admin}/`);
    await admin.row("Providers", "beta").waitFor();
    await admin.signedIn();
    await admin.row("Backends of solo", "alpha").waitFor();
    await admin.end();
  },

  // Behind a proxy that serves Berry in a folder.
  async folder() {
    const target = new URL(world.main);
    const proxy = http.createServer((q, s) => {
      if (!q.url.startsWith("/berry/")) return s.writeHead(404).end();
      const up = http.request({ host: target.hostname, port: target.port, method: q.method, path: q.url.slice(6), headers: q.headers }, (a) => {
        s.writeHead(a.statusCode, a.headers);
        a.pipe(s);
      });
      q.pipe(up);
    });
    await new Promise((listening) => proxy.listen(0, "127.0.0.1", listening));
    try {
      for (const path of ["/berry/", "/berry/status"]) {
        const v = await Visit.to(`http://127.0.0.1:${proxy.address().port}${path}`, { allowed: [] });
        await v.signedIn();
        await v.row("Backends of pool", "alpha").waitFor();
        await v.end();
      }
    } finally {
      proxy.closeAllConnections();
      proxy.close();
    }
  },
};
