import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { peerNames, versionOf, type PeerName } from "./peers.ts";
import { scenarios } from "./scenarios/index.ts";
import type { Finding, Scenario } from "./scenarios/scenario.ts";

/** One scenario, and what it found about each peer. */
export interface Row {
  readonly scenario: Scenario;
  readonly findings: ReadonlyMap<PeerName, Finding>;
}

/** What the last run of a peer found, by scenario. */
interface PeerResults {
  readonly version: string;
  readonly day: string;
  readonly chromium: string;
  readonly findings: Record<string, Finding>;
}

type Results = Partial<Record<PeerName, PeerResults>>;

const page = new URL("README.md", import.meta.url);
const file = new URL("results.json", import.meta.url);
const [begin, end] = ["<!-- results -->", "<!-- end of the results -->"];

/** Replaces the results of the peers that ran, in results.json and in README.md. */
export function writeReport(rows: readonly Row[], names: readonly PeerName[], chromium: string): void {
  const results: Results = existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Results) : {};
  const day = new Date().toISOString().slice(0, 10);
  for (const name of names) {
    const findings = Object.fromEntries(
      rows.map(({ scenario, findings: found }) => [scenario.id, found.get(name) ?? null]),
    );
    results[name] = {
      version: versionOf(name),
      day,
      chromium,
      findings: { ...results[name]?.findings, ...findings },
    };
  }
  writeFileSync(file, `${JSON.stringify(results, null, 2)}\n`);
  const text = readFileSync(page, "utf8");
  const [before, rest] = text.split(begin);
  const after = rest?.split(end)[1];
  if (before === undefined || after === undefined)
    throw new Error(`README.md must contain ${begin} and ${end}`);
  writeFileSync(
    page,
    before + [begin, browsers(results), table(results), failures(results), end].join("\n\n") + after,
  );
}

const known = (results: Results) => peerNames.flatMap((name) => results[name] ?? []);
const named = (results: Results) => peerNames.filter((name) => results[name] !== undefined);

function browsers(results: Results): string {
  const versions = new Set(known(results).map(({ chromium }) => chromium));
  return `Played in Chromium ${[...versions].join(" and ")}.`;
}

function table(results: Results): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const peers = known(results);
  const sign = (finding: Finding | undefined) =>
    finding === null ? "✓" : typeof finding === "string" ? "**✗**" : "–";
  const failed = peers.map(
    ({ findings }) => scenarios.filter(({ id }) => typeof findings[id] === "string").length,
  );
  return [
    line(["", ...named(results).map((name, i) => `${name}<br>${peers[i]?.version}<br>${peers[i]?.day}`)]),
    line(["---", ...peers.map(() => "---")]),
    ...scenarios.map(({ id, title }) => line([title, ...peers.map(({ findings }) => sign(findings[id]))])),
    line([`failures in ${scenarios.length} scenarios`, ...failed.map((count) => `**${count}**`)]),
  ].join("\n");
}

function failures(results: Results): string {
  const parts = ["### What the user sees"];
  for (const name of named(results)) {
    const items = scenarios.flatMap(({ id, title }) => {
      const finding = results[name]?.findings[id];
      return typeof finding === "string" ? [`- ${title}: ${finding}`] : [];
    });
    if (items.length > 0) parts.push(`**${name}**`, items.join("\n"));
  }
  return parts.join("\n\n");
}
