import assert from "node:assert/strict";
import { test } from "node:test";
import { routes } from "../../src/dashboard/data/routes.ts";
import type { Snapshot } from "../../src/dashboard/wire.ts";
import { noChromium, startChromium } from "../browser/chromium.ts";
import { startControlledStream } from "./controlled-stream.ts";
import { openDashboard, openView, startWatchedService } from "./dashboard-page.ts";

const attacks = [
  "<img src=x onerror='globalThis.attacked = true'>",
  "<script>globalThis.attacked = true</script>",
  "javascript:globalThis.attacked=true//",
  '" onmouseover="globalThis.attacked = true" x="',
  "<style>*{display:none}</style><base href='https://evil.example/'>",
];

/** Texts that come from providers, tokens, users and stores. The words of the contract stay as they are. */
const freeTexts: ReadonlySet<string> = new Set([
  ..."text advice part detail reason effect words lastError description problem issuer message host version".split(
    " ",
  ),
  ..."admin kid kids vanished algorithm code url runtime audience subject session source actor because issuers".split(
    " ",
  ),
]);

/** Puts an attack in the place of every free text. */
function attack(value: unknown, text: string, key = ""): unknown {
  if (typeof value === "string") return freeTexts.has(key) ? text : value;
  if (Array.isArray(value)) return value.map((each) => attack(each, text, key));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, attack(each, text, name)]));
}

test(
  "law 6: no text from outside becomes markup, a script or an address in any view",
  { skip: noChromium },
  async (t) => {
    const browser = await startChromium();
    t.after(async () => await browser.close());
    const { adminAddress } = await startWatchedService(t);
    for (const text of attacks) {
      const { origin, snapshot, send } = await startControlledStream(t, adminAddress);
      const { state, ...frame } = snapshot.frame;
      const others = [{ host: text, version: text, admin: text, seenAt: frame.at }];
      const audit = {
        at: frame.at,
        kind: text,
        subject: text,
        session: text,
        source: text,
        actor: text,
        detail: text,
      };
      const event = {
        seq: 1e9,
        at: frame.at,
        source: "audit",
        kind: text,
        tone: "alarm",
        issuer: text,
        message: text,
      };
      const hostile = attack(
        { ...snapshot, frame: { ...frame, state: { ...state, others } } },
        text,
      ) as Snapshot;
      const events = [{ ...event, omitted: 1, audit }] as Snapshot["events"];
      const sent = send("snapshot", { ...hostile, events });
      const { page, complaints } = await openDashboard(t, browser, origin);
      await sent;
      let shown = 0;
      for (const { title } of routes) {
        await openView(page, title);
        assert.equal(await page.locator("img, style, base, main script, iframe").count(), 0, title);
        assert.equal(await page.locator("[href^=javascript i], [onerror], [onmouseover]").count(), 0, title);
        shown += await page.getByText(text).count();
      }
      assert.ok(shown >= 3, `the page shows the text ${shown} times`);
      assert.equal(await page.evaluate("globalThis.attacked"), undefined);
      assert.deepEqual(complaints, []);
      await page.context().close();
    }
  },
);
