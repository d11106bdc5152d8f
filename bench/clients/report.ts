import { readFileSync, writeFileSync } from "node:fs";
import { versionOf, type PeerName } from "./peers.ts";
import type { Finding, Scenario } from "./scenarios/scenario.ts";

/** One scenario, and what it found about each peer. */
export interface Row {
  readonly scenario: Scenario;
  readonly findings: ReadonlyMap<PeerName, Finding>;
}

const page = new URL("README.md", import.meta.url);
const [begin, end] = ["<!-- results -->", "<!-- end of the results -->"];

/** Replaces the results in README.md. */
export function writeReport(rows: readonly Row[], names: readonly PeerName[], chromium: string): void {
  const text = readFileSync(page, "utf8");
  const [before, rest] = text.split(begin);
  const after = rest?.split(end)[1];
  if (before === undefined || after === undefined)
    throw new Error(`README.md must contain ${begin} and ${end}`);
  const day = new Date().toISOString().slice(0, 10);
  const head = `${day}, Chromium ${chromium}, Node ${process.versions.node}.`;
  const parts = [begin, head, table(rows, names), failures(rows, names), end];
  writeFileSync(page, before + parts.join("\n\n") + after);
}

const sign = (finding: Finding | undefined) =>
  finding === null ? "✓" : typeof finding === "string" ? "**✗**" : "–";

function table(rows: readonly Row[], names: readonly PeerName[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const failed = names.map(
    (name) => rows.filter(({ findings }) => typeof findings.get(name) === "string").length,
  );
  return [
    line(["", ...names.map((name) => `${name}<br>${versionOf(name)}`)]),
    line(["---", ...names.map(() => "---")]),
    ...rows.map(({ scenario, findings }) =>
      line([scenario.title, ...names.map((name) => sign(findings.get(name)))]),
    ),
    line([`failures in ${rows.length} scenarios`, ...failed.map((count) => `**${count}**`)]),
  ].join("\n");
}

function failures(rows: readonly Row[], names: readonly PeerName[]): string {
  const parts = ["### What the user sees"];
  for (const name of names) {
    const items = rows.flatMap(({ scenario, findings }) => {
      const finding = findings.get(name);
      return typeof finding === "string" ? [`- ${scenario.title}: ${finding}`] : [];
    });
    if (items.length > 0) parts.push(`**${name}**`, items.join("\n"));
  }
  return parts.join("\n\n");
}
