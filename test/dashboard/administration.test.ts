import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, test, type TestContext } from "node:test";
import type { Browser, Page } from "playwright-core";
import { noChromium, startChromium } from "../browser/chromium.ts";
import { login, post, verify, type Tokens } from "../support/auth-calls.ts";
import { temporaryDataDir } from "../server/temporary-settings.ts";
import { waitUntil } from "../support/deadline.ts";
import { accessibilityFaults, openDashboard, openView, startWatchedService } from "./dashboard-page.ts";

const PASSWORD = "correct horse battery";
let browser: Browser;

before(async () => {
  if (noChromium === false) browser = await startChromium();
});
after(async () => await browser?.close());

async function signIn(page: Page, password = PASSWORD): Promise<void> {
  const dialog = page.getByRole("dialog", { name: "Sign in for actions" });
  if (!(await dialog.isVisible())) await page.getByRole("button", { name: "Sign in for actions" }).click();
  await dialog.getByLabel("Name").fill("alice");
  await dialog.getByLabel("Password").last().fill(password);
  await dialog.getByRole("button", { name: "Sign in" }).click();
}

test("an administrator signs in, and finds the sessions of a user", { skip: noChromium }, async (t) => {
  const { adminAddress, publicAddress } = await startWatchedService(t);
  const { session_id: session } = await login(publicAddress);
  const { page, complaints } = await openDashboard(t, browser, adminAddress);
  await openView(page, "Sessions");
  await page.getByText("Sessions and users are for administrators.").waitFor();
  await signIn(page, "wrong");
  await page.getByRole("dialog").getByRole("alert").waitFor();
  // The browser reports the refusal of the password, and nothing else.
  assert.match(complaints.splice(0).join(), /^error: Failed to load resource: .* 401/);
  await signIn(page);
  await page.getByText(/^Signed in as /).waitFor();
  await page.getByRole("button", { name: "Sessions of alice" }).click();
  await page.getByText(session, { exact: true }).waitFor();
  await page.getByRole("button", { name: "End all sessions of alice" }).waitFor();
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    assert.deepEqual(await accessibilityFaults(page), []);
  }
  await page.setViewportSize({ width: 320, height: 640 });
  assert.equal(await page.evaluate("document.documentElement.scrollWidth"), 320);
  // The tokens are in the memory of the page alone.
  const stored = await page.evaluate<string>(
    "JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie])",
  );
  assert.equal(stored, '[{},{},""]');
  assert.deepEqual(complaints, []);
});

test(
  "law 6: the audit view shows a hostile user name as text, as soon as it comes",
  { skip: noChromium },
  async (t) => {
    const { adminAddress, publicAddress } = await startWatchedService(t);
    const { page, complaints } = await openDashboard(t, browser, adminAddress);
    await openView(page, "Audit");
    const username = "<img src=x onerror='globalThis.attacked = true'>";
    await post(publicAddress, "/auth/login", { username, password: "wrong" });
    await login(publicAddress);
    await page.getByRole("cell", { name: "login refused" }).waitFor();
    await page.getByRole("combobox", { name: "Event" }).selectOption("login");
    await page.getByRole("cell", { name: "login refused" }).waitFor({ state: "detached" });
    await page.getByRole("cell", { name: "login", exact: true }).first().waitFor();
    assert.equal(await page.evaluate("globalThis.attacked"), undefined);
    assert.equal(await page.locator("main img").count(), 0);
    assert.deepEqual(complaints, []);
  },
);

test(
  "law 5: the settings show where each value comes from, and no secret",
  { skip: noChromium },
  async (t) => {
    const token = "0123456789abcdefghijklmnopqrstuv";
    const { adminAddress } = await startWatchedService(t, { HOLDFAST_AUDIENCE: "https://api.example" });
    const { page } = await openDashboard(t, browser, adminAddress);
    await openView(page, "Settings");
    await page
      .getByRole("row", { name: /HOLDFAST_AUDIENCE.*https:\/\/api\.example.*environment/s })
      .waitFor();
    await page.getByRole("button", { name: "All" }).click();
    await page.getByRole("row", { name: /HOLDFAST_LOG_LEVEL.*default/s }).waitFor();
    const text = await page.locator("main").innerText();
    assert.ok(!text.includes(PASSWORD) && !text.includes(token));
  },
);

test(
  "law 3: an administrator ends a session after the page has named the effect",
  { skip: noChromium },
  async (t) => {
    const { adminAddress, publicAddress } = await startWatchedService(t);
    const { access_token: token, session_id: session } = await login(publicAddress);
    const { page, complaints } = await openDashboard(t, browser, adminAddress);
    await openView(page, "Sessions");
    await signIn(page);
    await page.getByRole("button", { name: "Sessions of alice" }).click();
    await page.getByRole("heading", { name: "Live sessions (2)", exact: true }).waitFor();
    await page.getByRole("button", { name: "End all sessions of alice" }).click();
    await page.getByRole("dialog").getByText("This ends 2 sessions of alice, and").waitFor();
    await page.getByRole("dialog").getByRole("button", { name: "Cancel" }).click();
    await page.getByRole("button", { name: `End session ${session}` }).click();
    const dialog = page.getByRole("dialog");
    assert.match(await dialog.innerText(), /This ends the session of alice\b/);
    const alignment = await page.evaluate("getComputedStyle(document.querySelector('dialog')).textAlign");
    assert.equal(alignment, "start", "the cell around the dialog aligns numbers to the right");
    assert.equal(await verify(publicAddress, token), 200, "the confirmation alone ends nothing");
    await dialog.getByRole("button", { name: "End" }).click();
    await dialog.getByRole("heading", { name: "Done" }).waitFor();
    assert.match(await dialog.innerText(), /The service ended the session of alice\b/);
    await dialog.getByRole("button", { name: "Close" }).click();
    await page.getByText(session, { exact: true }).waitFor({ state: "detached" });
    await waitUntil(
      async () => (await verify(publicAddress, token)) === 401,
      "the token of the session is refused",
    );
    await openView(page, "Audit");
    await page.getByRole("row", { name: new RegExp(`session ended.*${session}`, "s") }).waitFor();
    assert.deepEqual(complaints, []);
  },
);

/** The Sessions view of a user whose only session has a damaged record. */
async function showDamagedSession(t: TestContext) {
  const dataDir = await temporaryDataDir();
  const { adminAddress, publicAddress } = await startWatchedService(t, { HOLDFAST_DATA_DIR: dataDir });
  const { access_token: admin } = await login(publicAddress);
  const ada = { username: "ada", password: PASSWORD, scope: "orders:read" };
  assert.equal((await post(publicAddress, "/admin/users", ada, admin)).status, 201);
  const answer = await post(publicAddress, "/auth/login", ada);
  const { access_token: token, session_id: session } = (await answer.json()) as Tokens;
  const raw = new DatabaseSync(join(dataDir, "holdfast.db"));
  raw.prepare("UPDATE sessions SET mac = ? WHERE id = ?").run("A".repeat(43), session);
  raw.close();
  const { page, complaints } = await openDashboard(t, browser, adminAddress);
  await openView(page, "Sessions");
  await signIn(page);
  await page.getByRole("button", { name: "Sessions of ada" }).click();
  const note = "1 session cannot be read: its record in the store is damaged.";
  await page.getByRole("status").filter({ hasText: note }).waitFor();
  return { page, complaints, note, publicAddress, token, session };
}

test(
  "law 3: an administrator sees the damaged session of a user without another one, and ends it",
  { skip: noChromium },
  async (t) => {
    const { page, complaints, note, publicAddress, token, session } = await showDamagedSession(t);
    await page.getByText("There is no other live session.").waitFor();
    const list = page.getByRole("list", { name: "Sessions that cannot be read" });
    await list.getByText(session, { exact: true }).waitFor();
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      assert.deepEqual(await accessibilityFaults(page), []);
    }
    await page.setViewportSize({ width: 320, height: 640 });
    assert.equal(await page.evaluate("document.documentElement.scrollWidth"), 320);
    const dialog = page.getByRole("dialog");
    await page.getByRole("button", { name: "End all sessions of ada" }).click();
    await dialog.getByText("This ends 1 session of ada, whose record is damaged, and").waitFor();
    await dialog.getByRole("button", { name: "Cancel" }).click();
    await list.getByRole("button", { name: `End session ${session}` }).click();
    await dialog.getByText(`This ends the session ${session}, whose record is damaged.`).waitFor();
    assert.equal(await verify(publicAddress, token), 200, "the confirmation alone ends nothing");
    await dialog.getByRole("button", { name: "End" }).click();
    await dialog.getByRole("heading", { name: "Done" }).waitFor();
    await dialog.getByRole("button", { name: "Close" }).click();
    await page.getByText("There is no live session.").waitFor();
    assert.equal(await page.getByText(note).count(), 0);
    await waitUntil(
      async () => (await verify(publicAddress, token)) === 401,
      "the token of the session is refused",
    );
    assert.deepEqual(complaints, []);
  },
);

test(
  "the heading counts a damaged session, and End all hides it before its dialog is closed",
  { skip: noChromium },
  async (t) => {
    const { page, note } = await showDamagedSession(t);
    await page.getByRole("heading", { name: "Live sessions (1)", exact: true }).waitFor();
    await page.getByRole("button", { name: "End all sessions of ada" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByRole("button", { name: "End all" }).click();
    await dialog.getByRole("heading", { name: "Done" }).waitFor();
    assert.equal(await page.getByText(note).count(), 0);
    await dialog.getByRole("button", { name: "Close" }).click();
    await page.getByText("There is no live session.").waitFor();
  },
);

test("a double click on a confirmation acts once", { skip: noChromium }, async (t) => {
  const { adminAddress } = await startWatchedService(t);
  const { page } = await openDashboard(t, browser, adminAddress);
  const acted: unknown[] = [];
  await page.route("**/api/actions", async (route) => {
    const body = route.request().postDataJSON() as { dryRun: boolean };
    if (!body.dryRun) acted.push(body);
    await route.continue();
  });
  await openView(page, "Keys and revocations");
  await signIn(page);
  await page.getByText(/^Signed in as /).waitFor();
  await page.getByRole("button", { name: "Rotate keys" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("button", { name: "Rotate keys" }).dblclick();
  await dialog.getByRole("heading", { name: "Done" }).waitFor();
  await dialog.getByRole("button", { name: "Close" }).click();
  assert.deepEqual(acted, [{ action: "rotate-keys", dryRun: false }]);
});

test("the page explains a token and keeps nothing of it", { skip: noChromium }, async (t) => {
  const { adminAddress, publicAddress } = await startWatchedService(t);
  const { access_token: token } = await login(publicAddress);
  const { page, complaints } = await openDashboard(t, browser, adminAddress);
  await openView(page, "Token");
  const explain = async (text: string) => {
    await page.getByLabel("Access token").fill(text);
    await page.getByRole("button", { name: "Explain" }).click();
  };
  await explain(token);
  await page.getByRole("status").filter({ hasText: "valid" }).waitFor();
  await page.getByRole("region", { name: "Claims" }).getByText('"sub"').waitFor();
  assert.deepEqual(await accessibilityFaults(page), []);
  await explain(`${token.slice(0, -8)}AAAAAAAA`);
  await page.getByRole("status").filter({ hasText: "bad_signature" }).waitFor();
  await page.getByRole("button", { name: "Clear" }).click();
  assert.equal(await page.getByText(token.slice(0, 40)).count(), 0);
  assert.deepEqual(complaints, []);
});

test("a renewal that is answered after the sign-out signs nobody in", { skip: noChromium }, async (t) => {
  // The page renews an access token that lives for less than half a minute before each request.
  const { adminAddress } = await startWatchedService(t, { HOLDFAST_ACCESS_TOKEN_TTL: "20s" });
  const { page } = await openDashboard(t, browser, adminAddress);
  const [asked, signedOut] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  await page.route("**/api/refresh", async (route) => {
    const response = await route.fetch();
    asked.resolve();
    await signedOut.promise;
    await route.fulfill({ response });
  });
  await signIn(page);
  await page.getByText(/^Signed in as /).waitFor();
  await openView(page, "Sessions");
  await asked.promise;
  const listed = page.waitForRequest("**/api/users?**");
  await page.getByRole("button", { name: "Sign out" }).click();
  signedOut.resolve();
  assert.equal(await (await listed).headerValue("authorization"), null);
  await page.getByText("Sessions and users are for administrators.").waitFor();
  assert.equal(await page.getByText(/^Signed in as /).count(), 0);
});
