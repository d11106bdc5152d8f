import { spawnSync } from "node:child_process";
import { chromium, type Browser } from "playwright-core";

/** Why tests that need Chromium are skipped here; `false` when they run. On CI they run, and fail without it. */
export const noChromium: string | false =
  spawnSync("chromium", ["--version"]).status === 0 || process.env["CI"] === "true"
    ? false
    : "chromium is not installed";

/** The machine's own Chromium, which asks nobody on the network for anything. */
export async function startChromium(): Promise<Browser> {
  const executablePath = spawnSync("which", ["chromium"], { encoding: "utf8" }).stdout.trim();
  const quiet = ["quic", "background-networking", "component-update", "sync"].map(
    (what) => `--disable-${what}`,
  );
  return await chromium.launch({
    executablePath,
    args: ["--no-sandbox", "--disable-gpu", "--no-first-run", ...quiet],
  });
}
