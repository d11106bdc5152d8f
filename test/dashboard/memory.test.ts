import assert from "node:assert/strict";
import { test } from "node:test";
import type { CDPSession } from "playwright-core";
import { routes } from "../../src/dashboard/data/routes.ts";
import type { TimelineEvent } from "../../src/dashboard/wire-state.ts";
import { noChromium, startChromium } from "../browser/chromium.ts";
import { frameLike, startControlledStream } from "./controlled-stream.ts";
import { openDashboard, openView, startWatchedService } from "./dashboard-page.ts";

const HOURS = 24;
/** From here on, every history and list of the page is full or grows no more. */
const SETTLED_HOUR = 8;
const MINUTE_MS = 60_000;

interface Memory {
  readonly heapBytes: number;
  readonly nodes: number;
  readonly listeners: number;
}

async function measure(devtools: CDPSession): Promise<Memory> {
  await devtools.send("HeapProfiler.collectGarbage");
  const { usedSize } = await devtools.send("Runtime.getHeapUsage");
  const { nodes, jsEventListeners } = await devtools.send("Memory.getDOMCounters");
  return { heapBytes: usedSize, nodes, listeners: jsEventListeners };
}

test(
  "law 6: a page that is open for a day, with every view in use, needs no more memory than after some hours",
  { skip: noChromium },
  async (t) => {
    const browser = await startChromium();
    t.after(async () => await browser.close());
    const { adminAddress } = await startWatchedService(t);
    const { origin, snapshot, send } = await startControlledStream(t, adminAddress);
    const sent = send("snapshot", snapshot);
    const { page } = await openDashboard(t, browser, origin);
    await sent;
    const devtools = await page.context().newCDPSession(page);
    const column = snapshot.fields.indexOf("decisions.validPerS");
    let settled: Memory | null = null;
    let minute = 0;
    for (let hour = 1; hour <= HOURS; hour++) {
      await openView(page, routes[hour % routes.length]?.title ?? "Now");
      await openView(page, "Traffic");
      for (let end = hour * 60; minute < end;) {
        minute += 1;
        const at = snapshot.frame.at + minute * MINUTE_MS;
        for (let index = 0; index < 6; index++) await send("event", eventAt(at, minute * 10 + index));
        const frame = frameLike(snapshot.frame, at);
        await send("frame", { ...frame, values: frame.values.with(column, minute) });
      }
      const shown = page
        .locator(".legend")
        .first()
        .getByText(`${minute.toLocaleString("en")} /s`, { exact: true });
      await shown.waitFor({ timeout: 60_000 });
      if (hour === SETTLED_HOUR) settled = await measure(devtools);
    }
    const last = await measure(devtools);
    assert.ok(settled !== null);
    const grownBytes = last.heapBytes - settled.heapBytes;
    assert.ok(grownBytes < 1_500_000, `the heap grew by ${grownBytes} bytes`);
    assert.ok(last.nodes < settled.nodes * 1.2, `${settled.nodes} nodes became ${last.nodes}`);
    assert.ok(
      last.listeners < settled.listeners * 1.2,
      `${settled.listeners} listeners became ${last.listeners}`,
    );
  },
);

function eventAt(at: number, seq: number): TimelineEvent {
  const message = `event ${seq}`;
  const base = {
    source: "guard",
    kind: "keys_refreshed",
    tone: "info",
    issuer: null,
    omitted: 0,
    audit: null,
  } as const;
  return { ...base, seq: 1e6 + seq, at, message };
}
