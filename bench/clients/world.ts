import type { Browser, BrowserContext, Page } from "playwright-core";
import { BenchClock } from "./bench-clock.ts";
import type { PeerName } from "./peers.ts";
import { peers } from "./peers.ts";
import type { Fault } from "./faults.ts";
import { Site, tabHeader } from "./site.ts";

export interface WorldOptions {
  /** Lifetime of an access token. Default: ten minutes. */
  readonly lifeMs?: number;
  /** Replaces `expires_in`. */
  readonly expiresIn?: unknown;
  /** How far the device's clock is ahead of the servers' at the start. */
  readonly deviceAheadMs?: number;
  /** Runs in each page before its own scripts. */
  readonly initScript?: string;
}

/** What a page shows, and what its next request for data got. */
export interface View {
  readonly user: string | null;
  /** The status of the request for data, or the error that the page got. */
  readonly data: number | string;
}

/** One scenario's servers and browser context. */
export class World {
  readonly peer: PeerName;
  readonly clock: BenchClock;
  readonly site: Site;
  readonly context: BrowserContext;

  private constructor(peer: PeerName, clock: BenchClock, site: Site, context: BrowserContext) {
    this.peer = peer;
    this.clock = clock;
    this.site = site;
    this.context = context;
  }

  static async create(
    browser: Browser,
    peer: PeerName,
    bundle: string,
    options: WorldOptions = {},
  ): Promise<World> {
    const clock = new BenchClock();
    const { lifeMs = 600_000, expiresIn, deviceAheadMs = 0, initScript } = options;
    const site = await Site.start({
      clock,
      lifeMs,
      bundle,
      createServer: peers[peer].createServer,
      ...(expiresIn !== undefined && { expiresIn }),
    });
    const context = await browser.newContext();
    await context.clock.install({ time: Date.now() + deviceAheadMs });
    if (initScript !== undefined) await context.addInitScript(initScript);
    return new World(peer, clock, site, context);
  }

  async close(): Promise<void> {
    await this.context.close();
    await this.site.close();
  }

  /** Opens the page in a new tab, and waits until its library has started. */
  async open(waitMs = 20_000): Promise<Page> {
    const page = await this.context.newPage();
    await page.goto(this.site.origins.page);
    await settled(page, waitMs);
    return page;
  }

  /** Opens a tab and logs in. */
  async logIn(name = "ann"): Promise<Page> {
    const page = await this.open();
    await logInOn(page, name);
    return page;
  }

  /** Opens tabs of the same user. A library that shares nothing between tabs logs in by the provider's cookie. */
  async tabs(count: number): Promise<Page[]> {
    const tabs = [await this.logIn()];
    while (tabs.length < count) {
      const tab = await this.open();
      if ((await this.look(tab)).user === null) await logInOn(tab, "ann");
      tabs.push(tab);
    }
    return tabs;
  }

  /** Lets the device sleep. On waking, timers fire once, and each tab becomes visible. */
  async sleep(ms: number): Promise<void> {
    this.clock.advance(ms);
    await this.context.clock.fastForward(ms);
    for (const page of this.context.pages()) await wake(page);
  }

  /** Lets time pass on the servers and in the visible tabs, with every timer of the way. */
  async pass(ms: number): Promise<void> {
    this.clock.advance(ms);
    await this.context.clock.runFor(ms);
  }

  /** What the user sees now. The page asks for data first. */
  async look(page: Page): Promise<View> {
    const source = `(async () => {
      const limit = new Promise((resolve) => setTimeout(resolve, 20_000, "no answer within 20 s"));
      const ask = peer.call(origins.api).then((response) => response.status, (error) => String(error.message ?? error).slice(0, 120));
      const data = await Promise.race([ask, limit]);
      return { user: await Promise.race([peer.user().catch(() => null), limit]), data };
    })()`;
    for (let attempt = 0; ; attempt++) {
      try {
        return await page.evaluate<View>(source);
      } catch (error) {
        if (attempt > 3) throw error;
        await settled(page, 20_000); // The library left the page for its provider.
      }
    }
  }

  /**
   * Waits until the page has its data again, for two minutes of the device's time, or until it has shown the login form
   * for 30 s. Returns the last view.
   */
  async recover(page: Page): Promise<View> {
    let loginForms = 0;
    for (let step = 0; ; step++) {
      const view = await this.look(page);
      loginForms = view.user === null ? loginForms + 1 : 0;
      if ((view.data === 200 && view.user !== null) || step === 12 || loginForms === 4) return view;
      await this.sleep(10_000);
    }
  }

  /** The sentence for a user who should have data and does not. `null` when the user has it. */
  async lost(page: Page, who = "The user"): Promise<string | null> {
    const { user, data } = await this.recover(page);
    if (data === 200 && user !== null) return null;
    if (user === null) return `${who} sees the login form, although the session should live.`;
    return `${who} sees no data (${data}), and it does not come back within two minutes.`;
  }

  /** Lets every access token expire, and refreshes of one tab meet the fault until `act` has ended. */
  async withFaultIn(page: Page, fault: Fault, act: () => Promise<unknown>): Promise<void> {
    await page.setExtraHTTPHeaders({ [tabHeader]: "faulty" });
    this.site.faultyTab = "faulty";
    this.site.fault = fault;
    this.clock.advance(700_000);
    await this.context.clock.fastForward(700_000);
    await page.evaluate("void peer.call(origins.api).catch(() => {})");
    await pause(1_000);
    await act();
    this.site.fault = null;
  }

  /** How many refreshes the server saw from now until `act` has ended. */
  async countRefreshes(act: () => Promise<unknown>): Promise<number> {
    const before = this.site.refreshes.length;
    await act();
    return this.site.refreshes.length - before;
  }
}

export async function logInOn(page: Page, name: string): Promise<void> {
  await page.evaluate(`peer.login(${JSON.stringify(name)}).then(() => "", String)`).catch(() => {});
  await until(async () => {
    await settled(page, 20_000);
    return (await page.evaluate<string | null>("peer.user()").catch(() => null)) === name;
  }, `the login of ${name}`);
}

/** Waits until the page and its library have started. */
export async function settled(page: Page, waitMs: number): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      await page.waitForFunction("globalThis.started !== undefined", undefined, {
        timeout: waitMs,
        polling: 50,
      });
      await page.evaluate(
        `Promise.race([started, new Promise((resolve) => setTimeout(resolve, ${waitMs}))])`,
      );
      return;
    } catch (error) {
      if (attempt > 5 || page.isClosed()) throw error;
      await page.waitForLoadState().catch(() => {}); // The page was left while it was read.
    }
  }
}

/** Tells a page what a browser tells it when the user comes back. */
async function wake(page: Page): Promise<void> {
  await page
    .evaluate(
      `document.dispatchEvent(new Event("visibilitychange")); window.dispatchEvent(new Event("focus"));`,
    )
    .catch(() => {}); // The page is being left, and the next one needs no event.
}

/** Waits in real time until the condition holds. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  ms = 15_000,
): Promise<void> {
  const end = Date.now() + ms;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`${what} did not happen within ${ms} ms`);
    await pause(50);
  }
}

export async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}
