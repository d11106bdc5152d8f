import { spawnSync } from "node:child_process";
import { chromium, type Browser } from "playwright-core";

/** The reason to skip tests that need Chromium. `false` when they run. On CI they always run, and fail without Chromium. */
export const noChromium: string | false =
  spawnSync("chromium", ["--version"]).status === 0 || process.env["CI"] === "true"
    ? false
    : "chromium is not installed";

/** A browser, and how many users of this process have not closed it. */
interface SharedBrowser {
  readonly browser: Browser;
  readonly close: Browser["close"];
  users: number;
}

/** The running browsers of this process, by their further switches. */
const shared = new Map<string, SharedBrowser>();

/**
 * Starts the installed Chromium, with its own network requests disabled. `more` are further switches. The users in one
 * process share a browser. The last one that closes it ends it, and before that a close ends the contexts alone.
 */
export async function startChromium(more: readonly string[] = []): Promise<Browser> {
  const key = more.join(" ");
  const running = shared.get(key);
  if (running?.browser.isConnected() === true) {
    running.users++;
    return running.browser;
  }
  const browser = await launch(more);
  const started: SharedBrowser = { browser, close: browser.close.bind(browser), users: 1 };
  shared.set(key, started);
  browser.close = async () => {
    started.users--;
    if (started.users > 0 && browser.isConnected()) {
      for (const context of browser.contexts()) await context.close();
      return;
    }
    if (shared.get(key) === started) shared.delete(key);
    await started.close();
  };
  return browser;
}

async function launch(more: readonly string[]): Promise<Browser> {
  const executablePath = spawnSync("which", ["chromium"], { encoding: "utf8" }).stdout.trim();
  const quiet = ["quic", "background-networking", "component-update", "sync"].map(
    (what) => `--disable-${what}`,
  );
  return await chromium.launch({
    executablePath,
    args: ["--no-sandbox", "--disable-gpu", "--no-first-run", ...quiet, ...more],
  });
}
