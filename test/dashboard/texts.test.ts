import { after, before, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import { routes } from "../../src/dashboard/data/routes.ts";
import { noChromium, startChromium } from "../browser/chromium.ts";
import { openControlledPage, type ControlledPage } from "./controlled-page.ts";
import { openView } from "./dashboard-page.ts";
import { ExpectedTexts } from "./expected-texts.ts";
import { situations } from "./fixed-state.ts";

let browser: Browser;

before(async () => {
  if (noChromium === false) browser = await startChromium();
});
after(async () => await browser?.close());

/** What an operator does in a view, and what the page shows then. */
type Scene = readonly [name: string, view: string, act: (page: Page) => Promise<void>];

const scenes: readonly Scene[] = [
  ["a table of states", "Timeline", async (page) => await press(page, "Table of states")],
  ["all events", "Timeline", async (page) => await press(page, "All")],
  ["a table of a chart", "Traffic", async (page) => await press(page, "Table of Decisions")],
  ["the shortest range", "Refreshes", async (page) => await press(page, "5 min")],
  ["the longest range", "Traffic", async (page) => await press(page, "24 h")],
  ["all settings", "Settings", async (page) => await press(page, "All")],
  [
    "an explained token",
    "Token",
    async (page) => {
      if ((await page.getByLabel("Access token").count()) === 0) return;
      await page.getByLabel("Access token").fill("a.b.c");
      await press(page, "Explain");
    },
  ],
  ["the list of keys", "Now", async (page) => await page.keyboard.press("?")],
];

// One page serves all parts, because a page takes longer to open than to read.
test(
  "the dashboard shows each state of the service in the expected words",
  { skip: noChromium },
  async (t) => {
    const controlled = await openControlledPage(t, browser);
    await t.test("every view shows each state of the service", async () => await readViews(controlled));
    for (const situation of situations) {
      await t.test(
        `the choices of an operator have their effect when the service is ${situation}`,
        async () => {
          await controlled.show(situation);
          await readChoices(controlled, `choices-${situation}`);
        },
      );
    }
    await t.test("an administrator reads the effect of an action before and after it", async () => {
      await readActions(controlled);
    });
  },
);

async function readViews({ page, show, read, readMenu }: ControlledPage): Promise<void> {
  const menu = new ExpectedTexts("menu");
  const texts = new Map(routes.map(({ path }) => [path, new ExpectedTexts(path)]));
  for (const situation of situations) {
    await show(situation);
    for (const { path, title } of routes) {
      await openView(page, title);
      if (path === "keys") await menu.compare(situation, readMenu);
      await texts.get(path)?.compare(situation, read);
    }
  }
  for (const each of [menu, ...texts.values()]) each.finish();
}

async function readChoices({ page, read }: ControlledPage, name: string): Promise<void> {
  const texts = new ExpectedTexts(name);
  for (const [scene, view, act] of scenes) {
    await openView(page, view);
    await act(page);
    await texts.compare(scene, read);
  }
  texts.finish();
  await page.keyboard.press("Escape");
  await openView(page, "Traffic");
  await press(page, "15 min");
}

async function readActions({ page, show, read, readMenu }: ControlledPage): Promise<void> {
  const texts = new ExpectedTexts("actions");
  await show("ailing");
  await openView(page, "Sessions");
  await press(page, "Sign in");
  await texts.compare("a sign-in", read);
  await signIn(page);
  await texts.compare("a refused sign-in", read);
  await show("well");
  await signIn(page);
  await texts.compare("the users", read);
  await texts.compare("the menu of an administrator", readMenu);
  await press(page, "Sessions of ada");
  await texts.compare("the sessions of a user", read);
  const end = async (scene: string) => {
    await press(page, "End session session-1");
    await texts.compare(`the effect of an end ${scene}`, read);
    await page.getByRole("dialog").getByRole("button", { name: "End" }).click();
    await texts.compare(`an end ${scene}`, read);
    await page.getByRole("dialog").getByRole("button", { name: "Close" }).click();
  };
  await show("ailing");
  await end("that fails");
  await show("empty");
  await end("that no audit event tells");
  await texts.compare("no session is left", read);
  await show("well");
  await press(page, "Search");
  const sessions = page.getByRole("region", { name: /^Live sessions/ });
  await sessions.getByRole("button", { name: "Next page" }).click();
  await texts.compare("a further page", read);
  await end("that an audit event tells");
  await press(page, "Sign out");
  await texts.compare("signed out", read);
  texts.finish();
}

async function press(page: Page, name: string): Promise<void> {
  await page.getByRole("button", { name, exact: true }).click();
}

async function signIn(page: Page): Promise<void> {
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Name").fill("ada");
  await dialog.getByLabel("Password").last().fill("secret");
  await dialog.getByRole("button", { name: "Sign in", exact: true }).click();
}
