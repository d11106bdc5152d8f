import { parseArgs } from "node:util";
import { startChromium } from "../../test/browser/chromium.ts";
import { bundlePeer, peerNames, versionOf, type PeerName } from "./peers.ts";
import { scenarios } from "./scenarios/index.ts";
import type { Finding, Scenario } from "./scenarios/scenario.ts";
import { World } from "./world.ts";
import { writeReport, type Row } from "./report.ts";

const { values } = parseArgs({
  options: {
    peer: { type: "string", multiple: true },
    scenario: { type: "string", multiple: true },
    write: { type: "boolean", default: false },
  },
});
const names = peerNames.filter(
  (name) => values.peer === undefined || values.peer.some((part) => name.startsWith(part)),
);
const chosen = scenarios.filter(({ id }) => values.scenario?.includes(id) ?? true);
if (names.length === 0 || chosen.length === 0) {
  throw new Error(
    `unknown peer or scenario; peers: ${peerNames.join("; ")}; scenarios: ${scenarios.map(({ id }) => id).join(", ")}`,
  );
}

const browser = await startChromium();
const bundles = new Map<PeerName, string>();
for (const name of names) bundles.set(name, await bundlePeer(name));

async function play(scenario: Scenario, name: PeerName): Promise<Finding> {
  const world = await World.create(browser, name, bundles.get(name) ?? "", scenario.options);
  try {
    return await scenario.run(world);
  } finally {
    await world.close();
  }
}

const rows: Row[] = [];
for (const scenario of chosen) {
  const findings = new Map<PeerName, Finding>();
  const queue = names.values(); // Two peers play at the same time, because most of the time is waiting.
  const playNext = async (): Promise<void> => {
    const { value: name } = queue.next();
    if (name === undefined) return;
    const finding = await play(scenario, name).catch((error: unknown) => {
      // Without a browser each scenario would fail, and no client is to blame.
      if (!browser.isConnected()) throw error;
      return `The bench failed: ${String(error)}`;
    });
    findings.set(name, finding);
    const text =
      finding === null ? "ok" : typeof finding === "string" ? finding : `– ${finding.notApplicable}`;
    console.log(`${scenario.id.padEnd(16)} ${name.padEnd(30)} ${text}`);
    await playNext();
  };
  await Promise.all([playNext(), playNext()]);
  rows.push({ scenario, findings });
}
const version = browser.version();
await browser.close();
for (const name of names) {
  const failed = rows.filter(({ findings }) => typeof findings.get(name) === "string").length;
  console.log(`${name} (${versionOf(name)}): ${failed} of ${rows.length} failed`);
}
if (values.write) writeReport(rows, names, version);
