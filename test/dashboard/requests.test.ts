import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import { noChromium, startChromium } from "../browser/chromium.ts";
import { waitUntil } from "../support/deadline.ts";
import { openControlledPage } from "./controlled-page.ts";
import { openView } from "./dashboard-page.ts";

let browser: Browser;

before(async () => {
  if (noChromium === false) browser = await startChromium();
});
after(async () => await browser?.close());

const PROVIDER = "https://id.example/realms/main";

/** A button of the view of keys, and the action that it asks for. */
const actions = [
  ["Rotate keys", { action: "rotate-keys" }],
  ["Revoke key own-2", { action: "revoke-key", kid: "own-2" }],
  [`Refresh now keys of ${PROVIDER}`, { action: "refresh-keys", issuer: PROVIDER }],
  [`Open breaker of ${PROVIDER}`, { action: "breaker", issuer: PROVIDER, state: "open", forMs: 3_600_000 }],
  [
    `Close breaker of ${PROVIDER}`,
    { action: "breaker", issuer: PROVIDER, state: "closed", forMs: 3_600_000 },
  ],
  [`Automatic breaker of ${PROVIDER}`, { action: "breaker", issuer: PROVIDER, state: "auto" }],
] as const;

test("each button asks the service for the effect of its own action", { skip: noChromium }, async (t) => {
  const { page, show, requests } = await openControlledPage(t, browser);
  await show("well");
  await signIn(page);
  await show("ailing");
  await openView(page, "Keys and revocations");
  await page.getByLabel("Set the breaker for").selectOption("1 h");
  for (const [button, action] of actions) {
    await page.getByRole("button", { name: button, exact: true }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Cancel" }).click();
    const body = JSON.stringify({ ...action, dryRun: true });
    assert.equal(requests.at(-1), `POST /api/actions, Bearer access: ${body}`);
  }
});

test("a view asks for what the operator chose, and for nothing else", { skip: noChromium }, async (t) => {
  const { page, show, requests } = await openControlledPage(t, browser);
  const asked = async (path: string, token: string) =>
    await waitUntil(
      async () => requests.at(-1) === `GET ${path}, ${token}: nothing`,
      `the page asks for ${path}`,
    );
  await show("well");
  await openView(page, "Audit");
  await asked("/api/audit?limit=200", "without a token");
  await page.getByRole("combobox", { name: "Event" }).selectOption("login");
  await asked("/api/audit?kind=login&limit=200", "without a token");
  await page.getByLabel("Subject, session, source or detail").fill(" ada ");
  await page.getByRole("button", { name: "Filter" }).click();
  await asked("/api/audit?kind=login&text=ada&limit=200", "without a token");
  await signIn(page);
  await openView(page, "Sessions");
  await asked("/api/users?limit=25", "Bearer access");
  for (const [choice, field] of [
    ["Subject", "subject"],
    ["Session", "session"],
    ["User name", "username"],
  ] as const) {
    await page.getByLabel("Search by").selectOption(choice);
    await page.getByRole("textbox", { name: choice, exact: true }).fill(" x ");
    await page.getByRole("button", { name: "Search" }).click();
    await asked(`/api/sessions?${field}=x`, "Bearer access");
  }
  const found = page.getByRole("region", { name: /^Live sessions/ });
  await found.getByRole("button", { name: "Next page" }).click();
  await asked("/api/sessions?username=x&after=session-4", "Bearer access");
  await found.getByRole("button", { name: "First page" }).click();
  await asked("/api/sessions?username=x", "Bearer access");
  const users = page.getByRole("region", { name: "Users" });
  await users.getByRole("button", { name: "Next page" }).click();
  await asked("/api/users?limit=25&after=bob", "Bearer access");
});

async function signIn(page: Page): Promise<void> {
  await page.getByRole("button", { name: "Sign in for actions" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Name").fill("ada");
  await dialog.getByLabel("Password").last().fill("secret");
  await dialog.getByRole("button", { name: "Sign in", exact: true }).click();
  await page.getByText("Signed in as ada").waitFor();
}
