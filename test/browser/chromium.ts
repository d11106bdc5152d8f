import { spawnSync } from "node:child_process";
import { chromium, type Browser } from "playwright-core";

/** The reason to skip tests that need Chromium. `false` when they run. On CI they always run, and fail without Chromium. */
export const noChromium: string | false =
  spawnSync("chromium", ["--version"]).status === 0 || process.env["CI"] === "true"
    ? false
    : "chromium is not installed";

/** Starts the installed Chromium, with its own network requests disabled. `more` are further switches. */
export async function startChromium(more: readonly string[] = []): Promise<Browser> {
  const executablePath = spawnSync("which", ["chromium"], { encoding: "utf8" }).stdout.trim();
  const quiet = ["quic", "background-networking", "component-update", "sync"].map(
    (what) => `--disable-${what}`,
  );
  return await chromium.launch({
    executablePath,
    args: ["--no-sandbox", "--disable-gpu", "--no-first-run", ...quiet, ...more],
  });
}
