/*
 * Takes the screenshots of the dashboard for README and docs, from a real service with traffic. Its provider stops
 * answering after a minute. `npm run screenshots` writes them to docs/images; it takes two minutes and needs Chromium.
 */
import { mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Browser } from "playwright-core";
import { createLogger } from "../src/server/logs.ts";
import { startService } from "../src/server/serve.ts";
import { readSettings } from "../src/server/settings.ts";
import { createProvider, type Provider } from "../src/testing/index.ts";
import { startChromium } from "../test/browser/chromium.ts";
import { login, refresh, verify, type Tokens } from "../test/support/auth-calls.ts";

const AUDIENCE = "https://api.example";
const MAX_BYTES = 150_000;

const { values } = parseArgs({
  options: {
    /** Where the images go. */
    to: { type: "string", default: "docs/images" },
    /** How long each part of the story takes. */
    seconds: { type: "string", default: "60" },
    /** Every view in both colour schemes and both sizes, for those who work on the page. */
    all: { type: "boolean", default: false },
  },
});
const partMs = Number(values.seconds) * 1_000;

interface Shot {
  readonly name: string;
  readonly view: string;
  readonly scheme: "light" | "dark";
  readonly width: number;
  readonly height: number;
}

const shots: readonly Shot[] = [
  { name: "dashboard-now", view: "now", scheme: "light", width: 1180, height: 720 },
  { name: "dashboard-timeline", view: "timeline", scheme: "dark", width: 1180, height: 720 },
  { name: "dashboard-traffic", view: "traffic", scheme: "light", width: 1180, height: 720 },
  { name: "dashboard-phone", view: "now", scheme: "dark", width: 360, height: 720 },
];

function allShots(): Shot[] {
  const views = ["now", "timeline", "traffic", "keys", "refreshes", "connections", "stores"];
  const sizes = [
    [1280, 900],
    [360, 720],
  ] as const;
  return views.flatMap((view) =>
    (["light", "dark"] as const).flatMap((scheme) =>
      sizes.map(([width, height]) => ({ name: `${view}-${scheme}-${width}`, view, scheme, width, height })),
    ),
  );
}

/** Users of the service and of the provider. A few of their tokens are bad, as everywhere. */
async function makeTraffic(url: string, provider: Provider, signal: AbortSignal): Promise<void> {
  const sessions: Tokens[] = [];
  for (let count = 0; count < 6; count++) sessions.push(await login(url));
  const foreign = Array.from({ length: 40 }, (_, index) => provider.token({ sub: `user-${index}` }));
  for (let round = 0; !signal.aborted; round++) {
    const own = sessions[round % sessions.length];
    if (own === undefined) return;
    const bad = `${own.access_token.slice(0, -8)}AAAAAAAA`;
    const fresh = provider.token({ jti: `round-${round}` });
    const tokens = [own.access_token, own.access_token, fresh, foreign[round % foreign.length] ?? fresh];
    await Promise.all(
      [...tokens, ...(round % 9 === 0 ? [bad] : [])].map(async (token) => await verify(url, token)),
    );
    if (round % 25 === 0) {
      const response = await refresh(url, own.refresh_token);
      if (response.ok) sessions[round % sessions.length] = (await response.json()) as Tokens;
    }
    if (round % 60 === 0) await login(url);
    await pause(15);
  }
}

async function takeShot(browser: Browser, origin: string, shot: Shot): Promise<void> {
  const { name, view, scheme, width, height } = shot;
  const page = await browser.newPage({ viewport: { width, height }, colorScheme: scheme });
  await page.goto(`${origin}/#${view}`);
  await page.locator(".headline").waitFor();
  const range = page.getByRole("button", { name: "5 min", exact: true });
  if (await range.isVisible()) await range.click();
  await pause(1_500); // Two frames, so that the charts are drawn.
  const path = join(values.to, `${name}.png`);
  await page.screenshot({ path, fullPage: values.all });
  await page.close();
  const { size } = statSync(path);
  console.log(`${path}: ${Math.round(size / 1000)} kB`);
  if (size > MAX_BYTES && !values.all) throw new Error(`${path} has more than ${MAX_BYTES} bytes`);
}

async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}

const folder = mkdtempSync(join(tmpdir(), "holdfast-screenshots-"));
mkdirSync(values.to, { recursive: true });
const provider = await createProvider({ audience: AUDIENCE });
await provider.listen();
const service = await startService(
  readSettings({
    HOLDFAST_PORT: "0",
    HOLDFAST_ADMIN_PORT: "0",
    HOLDFAST_DATA_DIR: join(folder, "data"),
    HOLDFAST_AUDIENCE: AUDIENCE,
    HOLDFAST_BOOTSTRAP_USER: "alice:correct horse battery",
    HOLDFAST_PROVIDER_ISSUER: provider.issuer,
    HOLDFAST_AUTHORITY_URL: provider.url("introspection"),
    HOLDFAST_AUTHORITY_CLIENT: `${provider.clientId}:${provider.clientSecret}`,
    ALLOW_DEGRADED_AUTH: "local",
  }),
  createLogger("silent"),
);
const browser = await startChromium();
const stopped = new AbortController();
const traffic = makeTraffic(service.publicAddress, provider, stopped.signal);
try {
  await pause(partMs);
  provider.fault("introspection", { hang: true });
  await pause(partMs);
  for (const shot of values.all ? allShots() : shots) await takeShot(browser, service.adminAddress, shot);
} finally {
  stopped.abort();
  await traffic.catch(() => {});
  await browser.close();
  provider.restore("all");
  await service.stop();
  await provider.close();
  rmSync(folder, { recursive: true, force: true });
}
