import type { TestContext } from "node:test";
import type { Browser, Page } from "playwright-core";
import type { Frame } from "../../src/dashboard/wire.ts";
import { startControlledStream } from "./controlled-stream.ts";
import { startWatchedService } from "./dashboard-page.ts";
import { fixedAnswers, fixedEffect } from "./fixed-answers.ts";
import { fixedSnapshot, type Situation } from "./fixed-state.ts";
import { AT } from "./fixed-well-state.ts";
import { regionsOf, type Region } from "./page-regions.ts";
import { readPageTree } from "./page-tree.ts";

/** The page of a service whose state and answers the test chooses. */
export interface ControlledPage {
  readonly page: Page;
  /** Shows another state. The views that ask the service ask again when they are opened. */
  readonly show: (situation: Situation) => Promise<void>;
  readonly read: () => Promise<readonly Region[]>;
  readonly readMenu: () => Promise<readonly Region[]>;
  /** The requests to the API so far, each in one line. */
  readonly requests: readonly string[];
}

/** The clock of the page, and the line for screen readers, change with the time. Other tests read them. */
const SHOWN = "main > :not(.page-clock, [aria-live]), .shell > dialog";

/** Opens a page with a fixed time, a fixed language and a fixed zone. `script` runs before those of the page. */
export async function openControlledPage(
  t: TestContext,
  browser: Browser,
  script = "",
): Promise<ControlledPage> {
  const { adminAddress } = await startWatchedService(t);
  const { origin, send } = await startControlledStream(t, adminAddress);
  const context = await browser.newContext({
    viewport: { width: 1280, height: 900 },
    locale: "en-GB",
    timezoneId: "UTC",
  });
  const page = await context.newPage();
  let frame: Frame | null = null;
  // The page takes a stream without messages for lost.
  const timer = setInterval(() => void (frame !== null && send("frame", frame)), 1_000);
  t.after(async () => {
    clearInterval(timer);
    await context.close();
  });
  let shown: Situation = "well";
  const requests: string[] = [];
  await page.route("**/api/**", async (route) => {
    const request = route.request();
    const { pathname: path, search } = new URL(request.url());
    const { authorization = "without a token" } = request.headers();
    requests.push(
      `${request.method()} ${path}${search}, ${authorization}: ${request.postData() ?? "nothing"}`,
    );
    const { dryRun } = (request.postDataJSON() ?? {}) as { dryRun?: boolean };
    const answer = path === "/api/actions" ? fixedEffect(shown, dryRun === true) : fixedAnswers[shown][path];
    if (typeof answer === "object") await route.fulfill({ json: answer });
    else await route.fulfill({ status: 503, json: { error: "refused", error_description: answer } });
  });
  await page.clock.setFixedTime(AT);
  await page.addInitScript(script);
  await page.goto(origin);
  return {
    page,
    show: async (situation) => {
      shown = situation;
      const snapshot = await fixedSnapshot(situation);
      ({ frame } = snapshot);
      await send("snapshot", snapshot);
      // The clock of the page goes on, and each situation has another minute.
      const minute = new Date(snapshot.frame.at).toISOString().slice(11, 17);
      await page.locator(".page-clock", { hasText: minute }).waitFor();
    },
    read: async () => regionsOf(await readPageTree(page, SHOWN), "page"),
    requests,
    readMenu: async () => regionsOf(await readPageTree(page, ".side"), "menu"),
  };
}
