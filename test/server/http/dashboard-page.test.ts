import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { createLogger } from "../../../src/server/logs.ts";
import { startService } from "../../../src/server/serve.ts";
import { temporarySettings } from "../temporary-settings.ts";

async function start(t: TestContext, more: Record<string, string> = {}): Promise<string> {
  const running = await startService(await temporarySettings(more), createLogger("silent"));
  t.after(running.stop);
  return `http://127.0.0.1:${new URL(running.adminAddress).port}`;
}

test("the dashboard allows scripts of its own files only, and no text that becomes a script", async (t) => {
  const page = await fetch(await start(t));
  assert.equal(page.status, 200);
  const policy = new Map(
    page.headers
      .get("content-security-policy")
      ?.split("; ")
      .map((directive) => [directive.split(" ")[0], directive.replace(/^\S+ /, "")]),
  );
  assert.equal(policy.get("default-src"), "'none'");
  for (const name of ["script-src", "style-src", "connect-src"]) assert.equal(policy.get(name), "'self'");
  assert.equal(policy.get("require-trusted-types-for"), "'script'");
  for (const name of ["frame-ancestors", "base-uri", "form-action"]) {
    assert.equal(policy.get(name), "'none'");
  }
  assert.doesNotMatch(await page.text(), /<script(?! type="module" src="dashboard\.js"><\/script>)| on\w+=/);
});

test("the files of the dashboard come compressed, with the licences of its libraries", async (t) => {
  const origin = await start(t);
  for (const [path, type] of [
    ["/dashboard.js", /^text\/javascript/],
    ["/dashboard.css", /^text\/css/],
    ["/dashboard-licences.txt", /^text\/plain/],
  ] as const) {
    const plain = await fetch(origin + path, { headers: { "Accept-Encoding": "identity" } });
    const packed = await fetch(origin + path, { headers: { "Accept-Encoding": "br, gzip" } });
    assert.match(plain.headers.get("content-type") ?? "", type);
    assert.equal(plain.headers.get("content-encoding"), null);
    assert.equal(packed.headers.get("content-encoding"), "gzip");
    assert.equal(await packed.text(), await plain.text());
  }
  const licences = await (await fetch(`${origin}/dashboard-licences.txt`)).text();
  for (const name of ["preact", "uplot"]) assert.ok(licences.includes(name));
  assert.equal(licences.match(/MIT License/gi)?.length, 2);
});

test("an exposed listener gives the files of the dashboard without its token, and nothing else", async (t) => {
  const origin = await start(t, { HOLDFAST_ADMIN_HOST: "0.0.0.0" });
  const status = async (path: string, method = "GET") => (await fetch(origin + path, { method })).status;
  for (const path of ["/", "/dashboard.js", "/dashboard.css"]) {
    assert.equal(await status(path), 200, path);
    assert.equal(await status(path, "HEAD"), 200, path);
    assert.equal(await status(path, "POST"), 401, path);
  }
  for (const path of ["/?plain", "/?plain=", "/dashboard.js/", "//", "/./health", "/health", "/events"]) {
    assert.equal(await status(path), 401, path);
  }
});
