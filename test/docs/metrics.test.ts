import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test, type TestContext } from "node:test";
import type { MetricFamily, MetricSource } from "../../src/core/metrics.ts";
import { startService } from "../../src/server/serve.ts";
import { createLogger } from "../../src/server/logs.ts";
import { temporarySettings } from "../server/temporary-settings.ts";
import { openConnection, setUp } from "../connections/fixture.ts";
import { makeFixture } from "../guard/degraded/fixture.ts";
import { createFixture, logIn } from "../issuer/fixture.ts";

const page = readFileSync(new URL("../../docs/run/metrics.md", import.meta.url), "utf8");

/** The rows of a section's table: name, kind and labels. */
function rows(heading: string): string[] {
  const section = page.split(/^## /m).find((one) => one.startsWith(`${heading}\n`)) ?? "";
  const cells = [...section.matchAll(/^\| `(\w+)` \| (\w+) \| ?(.*?) ?\|/gm)];
  return cells
    .map(([, name, kind, labels = ""]) => `${name} ${kind} ${labels.replaceAll(/[`,]/g, "")}`)
    .toSorted();
}

const nameAndKind = (row: string): string => row.split(" ", 2).join(" ");

function describeFamily({ name, kind, samples }: MetricFamily): string {
  const labels = new Set(samples.flatMap((sample) => Object.keys(sample.labels)));
  return `${name} ${kind} ${[...labels].join(" ")}`;
}

/** Compares the table under a heading with what a source has. */
function assertListed(heading: string, source: MetricSource): void {
  const listed = rows(heading);
  const families = source.metrics();
  assert.deepEqual(listed.map(nameAndKind), families.map(({ name, kind }) => `${name} ${kind}`).toSorted());
  for (const family of families.filter(({ samples }) => samples.length > 0)) {
    assert.ok(listed.includes(describeFamily(family)), describeFamily(family));
  }
}

test("docs/run/metrics.md lists the metrics of a guard, with their kinds and labels", async (t) => {
  const { guard: open, provider } = await makeFixture(t);
  const guard = open();
  await guard.validate(provider.token({ sub: "ada" }));
  assertListed("Metrics of a guard", guard);
});

test("docs/run/metrics.md lists the metrics of an issuer, with their kinds and labels", async () => {
  const { issuer } = createFixture();
  const { refresh_token: token, session_id: session } = await logIn(issuer);
  await issuer.refresh(token);
  await issuer.endSession(session);
  assertListed("Metrics of an issuer", issuer);
  await issuer.close();
});

test("docs/run/metrics.md lists the metrics of connections, with their kinds and labels", async (t) => {
  const { guard, connections, mint } = await setUp();
  t.after(async () => await guard.close());
  await openConnection(connections, mint.token());
  assertListed("Metrics of connections", connections);
  await connections.close();
});

test("`/metrics` of the service has exactly the metrics of docs/run/metrics.md", async (t) => {
  const text = await scrape(t);
  const printed = [...text.matchAll(/^# TYPE (\w+) (\w+)$/gm)].map(([, name, kind]) => `${name} ${kind}`);
  const headings = ["a guard", "an issuer", "a SQLite store", "the service"].map(
    (part) => `Metrics of ${part}`,
  );
  assert.deepEqual(printed.toSorted(), headings.flatMap(rows).map(nameAndKind).toSorted());
});

async function scrape(t: TestContext): Promise<string> {
  const running = await startService(await temporarySettings({}), createLogger("silent"));
  t.after(running.stop);
  const response = await fetch(new URL("/metrics", running.adminAddress));
  assert.equal(response.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  return await response.text();
}
