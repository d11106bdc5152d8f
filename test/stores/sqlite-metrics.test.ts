import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import type { MetricSource } from "../../src/core/metrics.ts";
import { sqliteStore } from "../../src/stores/sqlite.ts";
import { metricTotal, observationCount } from "../support/metric-values.ts";
import { temporaryFolder } from "./temporary-folder.ts";

for (const thread of [true, false]) {
  test(`the store counts the commands of each transaction, and its size, ${thread ? "with" : "without"} a thread`, async (t) => {
    const folder = temporaryFolder();
    t.after(folder.remove);
    const store = await sqliteStore({ file: join(folder.path, "holdfast.db"), thread });
    t.after(async () => await store.close());
    const source: MetricSource = { metrics: () => store.metrics?.() ?? [] };
    const bytes = () => metricTotal(source, "holdfast_store_bytes", { store: store.description });
    const groups = () => observationCount(source, "holdfast_store_group_size", { store: store.description });
    const emptyBytes = bytes();
    assert.ok(emptyBytes > 0);
    assert.equal(groups(), 0);
    const text = "x".repeat(10_000);
    const claims = Array.from({ length: 20 }, (_, i) => store.markers.claim(`name ${i}`, text));
    await Promise.all(claims);
    await store.markers.claim("one more", text);
    const [, family] = source.metrics();
    assert.ok(family?.kind === "histogram");
    assert.equal(family.samples[0]?.sum, 21);
    assert.ok(groups() >= 2 && groups() < 21);
    assert.ok(bytes() >= emptyBytes + 200_000);
  });
}
