import assert from "node:assert/strict";
import { after, before, test, type TestContext } from "node:test";
import type { Browser, Page } from "playwright-core";
import type { Frame, Snapshot } from "../../src/dashboard/wire.ts";
import type { State } from "../../src/dashboard/wire-state.ts";
import { noChromium, startChromium } from "../browser/chromium.ts";
import { startControlledStream } from "./controlled-stream.ts";
import { startWatchedService } from "./dashboard-page.ts";

let browser: Browser;

before(async () => {
  if (noChromium === false) browser = await startChromium();
});
after(async () => await browser?.close());

const longError = `redis 127.0.0.1:6379: ERR script ${"0123456789abcdef".repeat(12)} cannot run`;

/** The state of a service whose store fails: the service calls it degraded, and its logins are 503. */
function withoutStore(state: State): State {
  const { store } = state.components;
  assert(store !== undefined);
  return {
    ...state,
    headline: {
      ...state.headline,
      status: "degraded",
      text: "The store fails",
      advice: `Check the store. The last error: ${longError.slice("redis 127.0.0.1:6379: ".length)}`,
      part: "store",
      runbook: "HoldfastStoreFailing",
    },
    outcomes: {
      ...state.outcomes,
      login: { status: "unavailable", because: ["store"], words: "all answer 503" },
      refresh: { status: "degraded", because: ["answers"], words: "some answer 503" },
    },
    components: { ...state.components, store: { ...store, status: "degraded", detail: longError } },
    upstreams: state.upstreams.map((upstream) =>
      upstream.kind === "store"
        ? { ...upstream, state: "failing", lastError: longError }
        : { ...upstream, words: longError },
    ),
  };
}

/** Shows a frame of the real service after `change`. */
async function showFrame(t: TestContext, change: (frame: Frame, snapshot: Snapshot) => Frame): Promise<Page> {
  const { adminAddress } = await startWatchedService(t);
  const { origin, snapshot, send } = await startControlledStream(t, adminAddress);
  const page = await browser.newPage();
  t.after(async () => await page.close());
  await page.clock.install();
  await page.goto(origin);
  const frame = change(snapshot.frame, snapshot);
  await send("snapshot", { ...snapshot, frame });
  await page.locator(".headline").waitFor();
  // A frame of the stream is also a row of the history.
  await send("frame", { ...frame, at: frame.at + 1_000 });
  return page;
}

test(
  "the headline, the menu and the part are red while users get 503, whatever the part is called",
  { skip: noChromium },
  async (t) => {
    const page = await showFrame(t, (frame) => ({ ...frame, state: withoutStore(frame.state) }));
    assert.equal(await page.locator(".headline.tone-failing").count(), 1);
    assert.equal(await page.locator(".nav .tone-failing").count(), 1);
    const parts = page.getByRole("region", { name: "Parts with a problem" }).getByRole("listitem");
    const part = parts.first();
    assert.match(await part.innerText(), /^Store\s+failing\s/);
    // Answers that were measured have a card, too, because no component is to blame.
    assert.match(await parts.last().innerText(), /^Refreshes\s+impaired\s+Many of the latest answers/);
    assert.equal(await part.locator(".tone-failing").count(), 1);
    const tiles = await page.locator(".outcomes > li").allInnerTexts();
    assert.match(tiles[0] ?? "", /^Logins\s+all answer 503\s[^]*cause: Store$/);
    const headline = await page.locator(".headline").innerText();
    assert.match(
      headline,
      /What to do: section HoldfastStoreFailing of the runbook, which is ops\/runbook\.md in the package/,
    );
    assert.match(tiles[1] ?? "", /cause: recent answers with 429 or 5xx$/);
  },
);

test("a long error stays inside its card, and the page says it once", { skip: noChromium }, async (t) => {
  const page = await showFrame(t, (frame) => ({ ...frame, state: withoutStore(frame.state) }));
  const overflowing =
    "[...document.querySelectorAll('.card, .card *:not(.hidden), .step, .headline')].filter((element) => element.scrollWidth > element.clientWidth + 1 && element.clientWidth > 0).map((element) => element.className)";
  for (const width of [1280, 320]) {
    await page.setViewportSize({ width, height: 900 });
    assert.deepEqual(await page.evaluate(overflowing), [], `${width} pixels`);
  }
  const headline = await page.locator(".headline").innerText();
  assert(headline.includes("ERR script"));
  const parts = page.getByRole("region", { name: "Parts with a problem" });
  assert.doesNotMatch(await parts.innerText(), /ERR script/);
  const store = page.locator(".upstream", { hasText: "Store" });
  assert.doesNotMatch(await store.innerText(), /last error/);
});

test("the clock of the page says how old the numbers are", { skip: noChromium }, async (t) => {
  const at = Date.UTC(2026, 0, 1, 12, 0, 0);
  const page = await showFrame(t, (frame) => ({ ...frame, at }));
  const clock = page.locator(".page-clock");
  assert.match(await clock.innerText(), /^\d\d:\d\d:\d\d \(UTC.*\), updated now$/);
  await page.clock.runFor(20_000);
  await clock.getByText(/updated \d+ s ago/).waitFor();
});

test("the tile of logins shows their rate, and how many are limited", { skip: noChromium }, async (t) => {
  const page = await showFrame(t, (frame, { fields }) => ({
    ...frame,
    values: fields.map((field, index) =>
      field === "logins.okPerS" ? 3 : field === "logins.limitedPerS" ? 12 : (frame.values[index] ?? null),
    ),
  }));
  const tile = page.locator(".outcomes > li", { hasText: "Logins" });
  await tile.getByText(/^[\d.]+ \/s, [\d.]+ \/s of them limited with 429$/).waitFor();
});

test(
  "a step that is not configured is dashed, and so are the lines past it",
  { skip: noChromium },
  async (t) => {
    const page = await showFrame(t, (frame) => frame);
    const off = page.locator(".step.off", { hasText: "Shared answers" });
    await off.waitFor();
    assert.equal(
      await page.evaluate("getComputedStyle(document.querySelector('.step.off')).borderTopStyle"),
      "dashed",
    );
    await page.locator(".flows .past").first().waitFor({ state: "attached" });
    assert.equal(await page.locator(".flows .past:not(.none)").count(), 0);
  },
);

test(
  "the headline is red while many decisions are 503, and has one duration",
  { skip: noChromium },
  async (t) => {
    const text = "The clock of this machine was set back by one hour, 29 s ago";
    const page = await showFrame(t, (frame) => {
      const { state } = frame;
      const { clock } = state.components;
      assert(clock !== undefined);
      const headline = {
        ...state.headline,
        status: "degraded",
        text,
        part: "clock",
        since: frame.at - 29_000,
      } as const;
      const steps = state.steps.map((step) =>
        step.name === "decision" ? ({ ...step, state: "failing", words: "half answer 503" } as const) : step,
      );
      const components = { ...state.components, clock: { ...clock, status: "degraded" } as const };
      return { ...frame, state: { ...state, headline, steps, components } };
    });
    assert.equal(await page.locator(".headline.tone-failing").count(), 1);
    assert.match(
      await page.locator(".headline .since").innerText(),
      /^Since [\d:]+ by the clock that was set\.$/,
    );
  },
);

test(
  "tokens that go past a skipped step are not drawn as answered before it",
  { skip: noChromium },
  async (t) => {
    const rates: Readonly<Record<string, number>> = {
      token: 4,
      memory: 4,
      verification: 4,
      shared: 0,
      authority: 4,
    };
    const page = await showFrame(t, (frame) => {
      const steps = frame.state.steps.map((step) => {
        const perS = rates[step.name] ?? 0;
        const state = step.name === "shared" ? "degraded" : step.name === "degraded" ? "off" : "ok";
        return { ...step, perS, state } as const;
      });
      return { ...frame, state: { ...frame.state, steps } };
    });
    // The lines into and out of the skipped step.
    await page.locator(".flows .moving.past").nth(1).waitFor({ state: "attached" });
    assert.equal(await page.locator(".flows .moving.past").count(), 2);
    // Two lines lead on to the verification, and one leads from the authority to the decision.
    assert.equal(await page.locator(".flows .moving:not(.past)").count(), 3);
    const drawn = "[...document.querySelectorAll('.flows path')].map((path) => path.getAttribute('d'))";
    for (const path of await page.evaluate<string[]>(drawn)) assert.match(path, /^M[\d.]+ [\d.]+[HV]/);
  },
);
