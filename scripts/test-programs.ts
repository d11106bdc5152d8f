import { spawnSync } from "node:child_process";
import { findSystemPrograms } from "./system-programs.ts";

/*
 * The tests use real programs. This script installs a missing program from the system's packages when it runs as root and
 * finds apt. Otherwise the tests that need the program are skipped with the reason, and fail on CI.
 */

/** Program → package. */
const programs: Readonly<Record<string, string>> = {
  "redis-server": "redis-server",
  nginx: "nginx",
  haproxy: "haproxy",
  caddy: "caddy",
  chromium: "chromium",
  openssl: "openssl",
  promtool: "prometheus",
  script: "bsdutils",
};

findSystemPrograms();
const missing = Object.keys(programs).filter((name) => spawnSync(name, ["-v"]).error !== undefined);
if (missing.length > 0 && process.getuid?.() === 0) {
  const packages = missing.map((name) => programs[name] ?? name);
  console.log(`installing ${packages.join(", ")} for the tests`);
  const apt = (...args: string[]) =>
    spawnSync("apt-get", ["-qq", ...args], {
      stdio: ["ignore", "ignore", "inherit"],
      timeout: 300_000,
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    }).status === 0;
  if (!apt("update") || !apt("install", "-y", "--no-install-recommends", ...packages)) {
    console.log("that did not work: tests that need them are skipped");
  }
}
