import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Browser, Page, Route } from "playwright-core";
import { noChromium, startChromium } from "../browser/chromium.ts";
import { startWatchedService } from "./dashboard-page.ts";
import { ExpectedTexts } from "./expected-texts.ts";
import { fixedSnapshot } from "./fixed-state.ts";
import { AT } from "./fixed-well-state.ts";
import { regionsOf, type Region } from "./page-regions.ts";
import { readPageTree } from "./page-tree.ts";

let browser: Browser;

before(async () => {
  if (noChromium === false) browser = await startChromium();
});
after(async () => await browser?.close());

/** The next attempt comes in a few seconds, by chance and by the number of attempts. */
async function readMain(page: Page): Promise<Region[]> {
  const regions = regionsOf(await readPageTree(page, "main > :not(.page-clock, [aria-live])"), "page");
  return regions.map(({ name, lines }) => ({
    name,
    lines: lines.map((line) => line.replace(/in [1-9] s\./, "in some seconds.")),
  }));
}

async function refuse(route: Route, status: number, words?: string): Promise<void> {
  await route.fulfill({ status, json: words === undefined ? {} : { error: "x", error_description: words } });
}

/** How the service answers the request for the stream. */
const answers: Readonly<Record<string, (route: Route) => Promise<void>>> = {
  "the service says why it refuses": async (route) => await refuse(route, 503, "20 pages are open."),
  "the service refuses without words": async (route) => await refuse(route, 500),
  "the service does not answer": async (route) => await route.abort(),
  "the listener needs its token": async (route) => await refuse(route, 401),
};

test("the page says why it shows no state or an old one", { skip: noChromium }, async (t) => {
  const { adminAddress } = await startWatchedService(t);
  const texts = new ExpectedTexts("link");
  const context = await browser.newContext({ locale: "en-GB", timezoneId: "UTC" });
  t.after(async () => await context.close());
  const page = await context.newPage();
  const read = async () => await readMain(page);
  let answer: (route: Route) => Promise<void> = async () => {};
  await page.route("**/events", async (route) => await answer(route));
  await page.clock.setFixedTime(AT + 90_000);
  await page.goto(adminAddress);
  await texts.compare("the page connects", read);
  for (const [name, each] of Object.entries(answers)) {
    answer = each;
    await page.reload();
    await texts.compare(name, read);
  }
  await page.getByLabel("Token of the listener").fill("wrong");
  await page.getByRole("button", { name: "Open the dashboard" }).click();
  await texts.compare("the token of the listener is wrong", read);
  const snapshot = await fixedSnapshot("empty");
  const message = { ...snapshot, frame: { ...snapshot.frame, at: AT } };
  answer = async (route) => {
    answer = async (next) => await next.abort();
    const body = `event: snapshot\nid: 1\ndata: ${JSON.stringify(message)}\n\n`;
    await route.fulfill({ contentType: "text/event-stream", body });
  };
  await page.reload();
  await texts.compare("the stream is lost", read);
  texts.finish();
});

test("a page that gets no stream waits longer after each failure", { skip: noChromium }, async (t) => {
  const { adminAddress } = await startWatchedService(t);
  const page = await browser.newPage();
  t.after(async () => await page.close());
  let attempts = 0;
  await page.route("**/events", async (route) => {
    attempts += 1;
    await route.abort();
  });
  await page.clock.install({ time: AT });
  await page.goto(adminAddress);
  await page.clock.pauseAt(AT + 60_000);
  const earlier = attempts;
  for (let half = 0; half < 120; half++) await page.clock.runFor(500);
  const later = attempts - earlier;
  // The waits are at most 15 s, and a quarter more by chance.
  assert.ok(later >= 2 && later <= 10, `${later} attempts in a minute`);
});
