/*
 * Runs `npm audit` over the dependencies that consumers install. A registry that answers no audit requests is reported
 * and skipped, because a mirror often lacks that endpoint. Exits with 1 on a finding of severity high or critical.
 */
import { spawnSync } from "node:child_process";

interface Report {
  readonly metadata?: { readonly vulnerabilities: Readonly<Record<string, number>> };
  readonly statusCode?: number;
  readonly error?: { readonly code?: string; readonly summary?: string };
}

const { stdout } = spawnSync("npm", ["audit", "--omit=dev", "--json"], { encoding: "utf8" });

function parsed(): Report | null {
  try {
    return JSON.parse(stdout) as Report;
  } catch {
    return null;
  }
}

const found = parsed()?.metadata?.vulnerabilities;
if (found === undefined) {
  const { statusCode, error } = parsed() ?? {};
  const reason = statusCode ?? error?.code ?? "no readable answer";
  console.log(`audit: skipped, because the registry answers no audit requests (${reason})`);
} else {
  const counts = Object.entries(found).filter(([severity, count]) => severity !== "total" && count > 0);
  const listed = counts.map(([severity, count]) => `${count} ${severity}`).join(", ");
  console.log(`audit: ${listed === "" ? "no known vulnerability" : listed}`);
  if ((found["high"] ?? 0) + (found["critical"] ?? 0) > 0) process.exitCode = 1;
}
