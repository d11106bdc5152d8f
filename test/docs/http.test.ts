import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { createLogger } from "../../src/server/logs.ts";
import { createIssuer } from "../../src/issuer/index.ts";
import { startService } from "../../src/server/serve.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import { temporarySettings } from "../server/temporary-settings.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const page = readFileSync(`${root}docs/reference/http.md`, "utf8");

/** The paths in the first column of a section's table, each with its methods. A query is no part of a path. */
function documented(heading: string): Map<string, Set<string>> {
  const section = page.split(/^## /m).find((one) => one.startsWith(`${heading}\n`)) ?? "";
  const methods = new Map<string, Set<string>>();
  for (const [, cell = ""] of section.matchAll(/^\| ((?:`[A-Z]+ \/|any method).*?) \|/gm)) {
    const method = /^`([A-Z]+)/.exec(cell)?.[1] ?? "any";
    for (const [, path = ""] of cell.matchAll(/`(?:[A-Z]+ )?(\/[^?`]*)/g)) {
      methods.set(path, (methods.get(path) ?? new Set()).add(method));
    }
  }
  return methods;
}

/** A path without its parameters, for a request. */
const example = (path: string) => path.replaceAll(/:\w+/g, "x");

/** Compares the methods of each documented path with those that a refused request names. */
async function assertMethods(
  origin: string,
  paths: Map<string, Set<string>>,
  sent: Record<string, string> = {},
): Promise<void> {
  for (const [path, methods] of paths) {
    const { status, headers } = await fetch(origin + example(path), { method: "PUT", headers: sent });
    assert.equal(status, 405, path);
    const allowed = headers.get("allow")?.split(", ") ?? [];
    assert.deepEqual(allowed.filter((method) => method !== "HEAD").toSorted(), [...methods].toSorted(), path);
  }
}

async function start(t: TestContext): Promise<{ publicAddress: string; adminAddress: string }> {
  const running = await startService(await temporarySettings(), createLogger("silent"));
  t.after(running.stop);
  return running;
}

test("docs/reference/http.md lists every path of the public listener with its methods, and no other", async (t) => {
  const url = "https://id.example.com";
  const secret = "s".repeat(32);
  const issuer = createIssuer({ url, audience: url, store: memoryStore(), secret });
  t.after(async () => await issuer.close());
  const paths = documented("The public listener");
  const ofService = ["/health/live", "/health/ready", "/verify", "/verify/*"];
  assert.deepEqual([...paths.keys()].toSorted(), [...new Set([...issuer.paths, ...ofService])].toSorted());
  for (const path of ["/verify", "/verify/*"]) assert.ok(paths.delete(path));
  const { publicAddress } = await start(t);
  await assertMethods(publicAddress, paths);
});

test("docs/reference/http.md lists every path of the admin listener with its methods, and no other", async (t) => {
  const files = globSync(["src/server/http/*.ts", "src/server/dashboard/**/*.ts"], { cwd: root });
  const named = files.flatMap((file) =>
    [...readFileSync(root + file, "utf8").matchAll(/"(\/(?:[a-z-]+)?(?:[/.][a-z-]+)?)"/g)].map(
      ([, path = ""]) => path,
    ),
  );
  const isOther = (path: string) =>
    path.startsWith("/auth/") || path.startsWith("/health/") || (path.length > 1 && path.endsWith("/"));
  const served = [...new Set(named)].filter((path) => !isOther(path));
  const paths = documented("The admin listener");
  assert.deepEqual([...paths.keys()].toSorted(), served.toSorted());
  const { publicAddress, adminAddress } = await start(t);
  // Some paths tell their methods to administrators only.
  const login = await fetch(`${publicAddress}/auth/login`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ username: "alice", password: "correct horse battery" }),
  });
  const { access_token: token } = (await login.json()) as { access_token: string };
  await assertMethods(new URL(adminAddress).origin, paths, { Authorization: `Bearer ${token}` });
});
