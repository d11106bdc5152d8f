import { pause, type World } from "../world.ts";
import type { Finding, Scenario } from "./scenario.ts";

const noTokens = { notApplicable: "The page holds no token." };
const noFetch = { notApplicable: "The library leaves the request to the page." };

async function holdsTokens(world: World): Promise<boolean> {
  const page = await world.open();
  const holds = await page.evaluate<boolean>("peer.hasTokens");
  await page.close();
  return holds;
}

const refuseStorage = (error: string) => `
  const refuse = () => { throw new DOMException("refused by the bench", "${error}"); };
  Storage.prototype.setItem = refuse;
  IDBFactory.prototype.open = refuse;`;

function withoutStorage(id: string, title: string, error: string): Scenario {
  return {
    id,
    title,
    expects: "The user can log in and has data, until the page is closed.",
    options: { initScript: refuseStorage(error) },
    async run(world) {
      const page = await world.open();
      await page.evaluate(`peer.login("ann").then(() => "", String)`).catch(() => {});
      await pause(1_000);
      const { user, data } = await world.look(page);
      if (user === "ann" && data === 200) return await world.lost(page);
      return `The user cannot log in${data === "" ? "" : ` (${data})`}.`;
    },
  };
}

function clockAtStart(id: string, title: string, deviceAheadMs: number): Scenario {
  return {
    id,
    title,
    expects: "The user has data, now and after the token's life, with at most 4 refreshes.",
    options: { deviceAheadMs },
    async run(world) {
      const page = await world.logIn();
      let finding: Finding = null;
      const count = await world.countRefreshes(async () => {
        for (const ms of [0, 300_000, 400_000]) {
          await world.sleep(ms);
          await pause(300);
          const { user, data } = await world.look(page);
          if (data !== 200 && finding === null) {
            finding = user === null ? "The user sees the login form." : `The user sees no data (${data}).`;
          }
        }
      });
      return finding ?? (count <= 4 ? null : `${count} refreshes in 12 minutes.`);
    },
  };
}

/** Leaves a page alone for 4 s after a login, and counts its refreshes. */
function idle(id: string, title: string, options: NonNullable<Scenario["options"]>, most: number): Scenario {
  return {
    id,
    title,
    expects: `At most ${most} refreshes in 4 s.`,
    options,
    async run(world) {
      if (!(await holdsTokens(world))) return noTokens;
      const page = await world.open();
      const count = await world.countRefreshes(async () => {
        await page.evaluate(`peer.login("ann").then(() => "", String)`).catch(() => {});
        await pause(1_000);
        await page.evaluate(`peer.call(origins.api).catch(() => {}).then(() => {})`).catch(() => {});
        await pause(3_000);
      });
      return count <= most ? null : `${count} refreshes in 4 s from a page that nobody touches.`;
    },
  };
}

export const devices: readonly Scenario[] = [
  withoutStorage("no-storage", "the browser refuses storage, by its settings", "SecurityError"),
  withoutStorage("full-storage", "the storage of the browser is full", "QuotaExceededError"),
  clockAtStart("clock-ahead", "the device's clock is 2 h ahead", 7_200_000),
  clockAtStart("clock-behind", "the device's clock is 2 h behind", -7_200_000),
  clockAtStart("clock-decade", "the device's clock is ten years behind", -315_360_000_000),
  {
    id: "clock-jump",
    title: "the device's clock is set back by a day while the page is open",
    expects: "The user has data after the token's life.",
    async run(world) {
      const page = await world.logIn();
      await world.context.clock.setSystemTime(Date.now() - 86_400_000);
      await world.sleep(700_000);
      await pause(500);
      const { data } = await world.look(page);
      if (data === 200) return null;
      return (await world.lost(page)) ?? `The first request for data after the token's life fails (${data}).`;
    },
  },
  idle("life-5s", "an access token lives for 5 s", { lifeMs: 5_000 }, 3),
  idle("life-0", "the server answers with expires_in 0", { expiresIn: 0 }, 3),
  idle("life-negative", "the server answers with expires_in -60", { expiresIn: -60 }, 3),
  idle("life-text", "the server answers with expires_in that is not a number", { expiresIn: "soon" }, 3),
  {
    id: "wrong-audience",
    title: "the API refuses every token of the user",
    expects: "The page gets the 401 after at most two requests and one refresh. The user stays logged in.",
    async run(world) {
      const page = await world.logIn();
      world.site.refusesAll = true;
      const before = world.site.apiStatuses.length;
      const refreshes = await world.countRefreshes(async () => await world.look(page));
      const requests = world.site.apiStatuses.length - before;
      if (requests > 2 || refreshes > 1)
        return `${requests} requests and ${refreshes} refreshes for one 401.`;
      world.site.refusesAll = false;
      return await world.lost(page);
    },
  },
  {
    id: "revoked-token",
    title: "the API refuses a token that is not expired, and accepts a fresh one",
    expects: "The library repeats the request with a fresh token.",
    async run(world) {
      const page = await world.logIn();
      if (!(await page.evaluate<boolean>("peer.hasFetch"))) return noFetch;
      world.site.refusesAll = true;
      const asked = page.evaluate<number>(
        "peer.call(origins.api).then((response) => response.status, () => 0)",
      );
      for (let i = 0; i < 100 && !world.site.apiStatuses.includes(401); i++) await pause(20);
      world.site.refusesAll = false;
      const status = await asked;
      return status === 200 ? null : `The request for data fails (${status}).`;
    },
  },
  {
    id: "leak",
    title: "the page follows an address of another host that looks like its own",
    expects: "The token does not leave for the other host.",
    async run(world) {
      const page = await world.logIn();
      if (!(await page.evaluate<boolean>("peer.hasFetch"))) return noFetch;
      const { api, foreign } = world.site.origins;
      const addresses = [
        `${foreign}/?${api}`,
        `${api.replace("http://", "http://api@")}@${new URL(foreign).host}/`,
      ];
      addresses.push(`//${new URL(foreign).host}/`, `${foreign}/${api}`, foreign);
      for (const address of addresses) {
        await page.evaluate(`peer.call(${JSON.stringify(address)}).catch(() => {}).then(() => {})`);
      }
      return world.site.leaks === 0 ? null : "The token of the user is sent to the other host.";
    },
  },
];
