import { faults, type Fault } from "../faults.ts";
import { pause, settled, type World } from "../world.ts";
import type { Finding, Scenario } from "./scenario.ts";

/** The refresh meets a fault for two attempts and 5 s. Afterwards the user must have data, without a new login. */
function survives(id: string, title: string, fault: Fault): Scenario {
  return {
    id,
    title,
    expects: "The user stays logged in, and has data again once it is over.",
    async run(world) {
      const page = await world.logIn();
      world.site.fault = fault;
      await world.sleep(700_000);
      await world.look(page);
      await world.sleep(5_000);
      await world.look(page);
      world.site.fault = null;
      return await world.lost(page);
    },
  };
}

/** Asks once a second, as a page that polls does, while every refresh fails. */
async function pollInOutage(world: World, seconds: number): Promise<number> {
  const page = await world.logIn();
  world.site.fault = faults.internalError;
  await world.sleep(700_000);
  return await world.countRefreshes(async () => {
    for (let second = 0; second < seconds; second++) {
      await world.look(page);
      await world.pass(1_000);
    }
  });
}

const afterSleep = (id: string, title: string, ms: number): Scenario => ({
  id,
  title,
  expects: "The user stays logged in.",
  async run(world) {
    const page = await world.logIn();
    world.site.fault = faults.lost;
    await world.sleep(700_000);
    await world.look(page);
    world.site.fault = null;
    await world.sleep(ms);
    return await world.lost(page);
  },
});

export const outages: readonly Scenario[] = [
  survives("http-500", "the refresh is answered with 500", faults.internalError),
  survives("html-502", "a proxy answers the refresh with 502 and HTML", faults.badGateway),
  survives("http-503", "the refresh is answered with 503 and Retry-After", faults.unavailable),
  survives("http-429", "the refresh is answered with 429", faults.tooMany),
  survives("captive", "a captive portal answers the refresh with 200 and HTML", faults.captivePortal),
  survives("login-page", "the refresh is redirected to an HTML page", faults.loginPage),
  survives("empty-json", "the refresh is answered with 200 and {}", faults.emptyJson),
  survives("cut", "the connection breaks before the refresh is answered", faults.cut),
  survives("half", "the connection breaks in the middle of the answer", faults.half),
  {
    id: "hang",
    title: "the auth server accepts the refresh and never answers",
    expects: "The page knows within 20 s, and the user stays logged in.",
    async run(world) {
      const page = await world.logIn();
      world.site.fault = faults.hang;
      await world.sleep(700_000);
      const view = await world.look(page);
      if (view.data === "no answer within 20 s") {
        return "The page waits for its data for more than 20 s, and shows neither data nor an error.";
      }
      world.site.fault = null;
      return await world.lost(page);
    },
  },
  {
    id: "pacing",
    title: "an outage of 30 s, in which the page asks for data each second",
    expects: "At most 10 refreshes reach the server.",
    async run(world): Promise<Finding> {
      const count = await pollInOutage(world, 30);
      return count <= 10 ? null : `${count} refreshes in 30 s from one tab, while the server is down.`;
    },
  },
  afterSleep("lost-1s", "the answer of a refresh is lost, and the next attempt comes after 1 s", 1_000),
  afterSleep("lost-8h", "the answer of a refresh is lost, and the laptop sleeps for 8 h", 28_800_000),
  {
    id: "reload",
    title: "the page is reloaded while a refresh is under way",
    expects: "The user stays logged in.",
    async run(world) {
      const page = await world.logIn();
      world.site.fault = faults.hold;
      await world.sleep(700_000);
      await page.evaluate("void peer.call(origins.api).catch(() => {})").catch(() => {});
      for (let i = 0; i < 40 && world.site.held === 0; i++) await pause(50);
      world.site.fault = null;
      await page.reload();
      world.site.release();
      await settled(page, 20_000);
      return await world.lost(page);
    },
  },
  {
    id: "offline-start",
    title: "the page is opened while the auth server is down, with an expired access token",
    expects: "The page shows the user as logged in, and has data once the server is back.",
    async run(world) {
      const page = await world.logIn();
      world.site.isDown = true;
      await world.sleep(700_000);
      await page.reload();
      await settled(page, 20_000);
      const { user } = await world.look(page);
      world.site.isDown = false;
      if (user === null) return "The page shows the login form while the auth server is down.";
      return await world.lost(page);
    },
  },
  {
    id: "sleep",
    title: "the laptop sleeps for 8 h",
    expects: "The first request for data after that succeeds.",
    async run(world) {
      const page = await world.logIn();
      await world.sleep(28_800_000);
      const { data } = await world.look(page);
      if (data === 200) return null;
      return (await world.lost(page)) ?? `The first request for data after the sleep fails (${data}).`;
    },
  },
];
