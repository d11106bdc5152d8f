import type { Page } from "playwright-core";
import { faults } from "../faults.ts";
import { logInOn, pause, settled, until, type World } from "../world.ts";
import type { Finding, Scenario } from "./scenario.ts";

const callsAtOnce = (count: number) => `Promise.all(Array.from({ length: ${count} }, () =>
  peer.call(origins.api).then((response) => response.status, (error) => String(error))))`;

/** Every tab asks for data at the same time, with an expired token. */
async function askOnEach(world: World, pages: readonly Page[], calls: number): Promise<Finding> {
  await world.sleep(700_000);
  await Promise.all(pages.map(async (page) => await page.evaluate(callsAtOnce(calls)).catch(() => {})));
  for (const [i, page] of pages.entries()) {
    const lost = await world.lost(page, `The user of tab ${i + 1} of ${pages.length}`);
    if (lost !== null) return lost;
  }
  return null;
}

/** Waits up to 10 s until the tab shows no user. */
async function showsNoUser(page: Page): Promise<boolean> {
  try {
    await until(
      async () => {
        await settled(page, 5_000);
        return (await page.evaluate<string | null>("peer.user()")) === null;
      },
      "the logout",
      10_000,
    );
    return true;
  } catch {
    return false;
  }
}

const logOut = async (page: Page) => {
  await page
    .evaluate(
      "Promise.race([peer.logout(), new Promise((resolve) => setTimeout(resolve, 5000))]).then(() => {})",
    )
    .catch(() => {}); // The library leaves the page, or the network fails.
};

export const tabs: readonly Scenario[] = [
  {
    id: "20-callers",
    title: "20 parts of a page ask for data at the same time, with an expired token",
    expects: "One refresh, and the user stays logged in.",
    async run(world) {
      const page = await world.logIn();
      let lost: Finding = null;
      const count = await world.countRefreshes(async () => {
        lost = await askOnEach(world, [page], 20);
      });
      return (
        lost ??
        (count <= 1 || !(await tokensAreKept(page)) ? null : `${count} refreshes for one expired token.`)
      );
    },
  },
  {
    id: "5-tabs",
    title: "five tabs ask for data at the same time, with an expired token",
    expects: "Every tab stays logged in.",
    run: async (world) => await askOnEach(world, await world.tabs(5), 4),
  },
  {
    id: "10-tabs",
    title: "the same with ten tabs, three times",
    expects: "Every tab stays logged in.",
    async run(world) {
      const pages = await world.tabs(10);
      for (let round = 0; round < 3; round++) {
        const lost = await askOnEach(world, pages, 2);
        if (lost !== null) return lost;
      }
      return null;
    },
  },
  {
    id: "new-tab",
    title: "a logged-in user opens a second tab",
    expects: "The second tab shows the user, without a login.",
    async run(world) {
      await world.logIn();
      const { user } = await world.look(await world.open());
      return user === "ann" ? null : "The second tab shows the login form.";
    },
  },
  {
    id: "stuck-tab",
    title: "a tab is frozen in the middle of a refresh, and another tab needs a token",
    expects: "The other tab has data within 10 s.",
    async run(world) {
      const [frozen, page] = await world.tabs(2);
      if (frozen === undefined || page === undefined) throw new Error("two tabs are needed");
      let finding: Finding = null;
      await world.withFaultIn(frozen, faults.hang, async () => {
        const before = Date.now();
        let { data } = await world.look(page);
        while (data !== 200 && Date.now() - before < 10_000) {
          await world.pass(1_000);
          ({ data } = await world.look(page));
        }
        const seconds = Math.round((Date.now() - before) / 1000);
        if (data !== 200) finding = `The other tab has no data after ${seconds} s (${data}).`;
        else if (seconds > 10) finding = `The other tab waits ${seconds} s for its data.`;
      });
      return finding;
    },
  },
  {
    id: "logout-shown",
    title: "the user logs out in one tab, with a second tab open",
    expects: "The second tab shows the login form within 10 s.",
    async run(world) {
      const [one, two] = await world.tabs(2);
      if (one === undefined || two === undefined) throw new Error("two tabs are needed");
      await logOut(one);
      await two.evaluate(
        "window.dispatchEvent(new Event('focus')); document.dispatchEvent(new Event('visibilitychange'))",
      );
      if (await showsNoUser(two)) return null;
      const { user } = await world.look(two);
      return `The second tab still shows ${user}.`;
    },
  },
  {
    id: "logout-race",
    title: "the user logs out in one tab while another tab refreshes",
    expects: "Both tabs are logged out, and stay so. The server has no live session.",
    async run(world) {
      const [one, two] = await world.tabs(2);
      if (one === undefined || two === undefined) throw new Error("two tabs are needed");
      await world.withFaultIn(two, faults.hold, async () => await logOut(one));
      world.site.release();
      await pause(1_000);
      for (const page of [one, two]) {
        if (!(await showsNoUser(page))) return "A tab shows the user as logged in after the logout.";
      }
      const live = await world.site.auth.liveSessions();
      return live === 0 ? null : `${live} session is still alive on the server after the logout.`;
    },
  },
  {
    id: "logout-offline",
    title: "the user logs out without a network, closes the page, and opens it another day",
    expects:
      "The page shows the login form at once, and the server's session is ended when the network is back.",
    async run(world) {
      const page = await world.logIn();
      world.site.isDown = true;
      await logOut(page);
      await page.close();
      world.site.isDown = false;
      const later = await world.open();
      await world.sleep(5_000);
      await pause(2_000);
      const { user } = await world.look(later);
      if (user !== null) return `The page shows ${user} again after the logout.`;
      const live = await world.site.auth.liveSessions();
      return live === 0
        ? null
        : "The session stays alive on the server. A stolen copy of its tokens still works.";
    },
  },
  {
    id: "other-user",
    title: "ann logs out in one tab, and bob logs in there",
    expects: "A second tab of ann shows bob or the login form, and never ann's data.",
    async run(world) {
      const [one, two] = await world.tabs(2);
      if (one === undefined || two === undefined) throw new Error("two tabs are needed");
      await logOut(one);
      await settled(one, 20_000);
      await logInOn(one, "bob");
      await two.evaluate(
        "window.dispatchEvent(new Event('focus')); document.dispatchEvent(new Event('visibilitychange'))",
      );
      await pause(2_000);
      const { user } = await world.look(two);
      return user === "ann" ? "The second tab still shows ann, while the browser belongs to bob." : null;
    },
  },
  {
    id: "ended",
    title: "an administrator ends the session",
    expects: "The page shows the login form, after at most 3 refreshes.",
    async run(world) {
      const page = await world.logIn();
      await world.site.auth.endAll();
      const count = await world.countRefreshes(async () => {
        await world.sleep(700_000);
        for (let i = 0; i < 3; i++) {
          await world.look(page);
          await world.sleep(5_000);
        }
      });
      const { user } = await world.look(page);
      if (user !== null)
        return `The library still reports ${user} as logged in, and every request for data fails.`;
      return count <= 3 || !(await tokensAreKept(page))
        ? null
        : `${count} refreshes with a token that the server refused.`;
    },
  },
];

/** Whether the library keeps tokens. One with a session cookie asks for its session at each start and focus. */
async function tokensAreKept(page: Page): Promise<boolean> {
  return await page.evaluate<boolean>("peer.hasTokens");
}
