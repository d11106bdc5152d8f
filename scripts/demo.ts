/*
 * A provider with a plug to pull, two services on one store, users and sockets. It prints the address of the dashboard, and
 * what users get. `npm run demo` takes commands; `npm run demo -- --script` pulls the plug and puts it back by itself.
 */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { plugs, startDemo, type DemoSite, type Plug } from "./demo-site.ts";

const REPORT_MS = 2_000;

const { values: flags } = parseArgs({
  options: {
    /** Pulls the authority and puts it back, then ends. */
    script: { type: "boolean", default: false },
    /** The length of each phase of the script. */
    seconds: { type: "string", default: "15" },
  },
});
const phaseMs = Number(flags.seconds) * 1_000;
if (!(phaseMs >= 1_000)) throw new Error(`--seconds must be a number from 1, and got ${flags.seconds}`);

const over = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => over.abort());

console.log("starting a provider, two services on one store, users and sockets …");
const site = await startDemo();
try {
  const [first, second] = site.services;
  console.log(`dashboard   ${first?.admin}\nsecond one  ${second?.admin}`);
  if (!flags.script && process.stdout.isTTY) openPage(first?.admin ?? "");
  await Promise.all([report(site), flags.script ? runScript(site) : readCommands(site)]);
} finally {
  await site.stop();
}
console.log("everything that the demo started has ended");

/** Opens the page in the browser of the machine. Without one, the printed address has to do. */
function openPage(url: string): void {
  const program = process.platform === "darwin" ? "open" : "xdg-open";
  spawn(program, [url], { stdio: "ignore", detached: true })
    .on("error", () => {})
    .unref();
}

/** Prints what users got since the line before, and the headline of the dashboard. */
async function report(demo: DemoSite): Promise<void> {
  while (!over.signal.aborted) {
    await wait(REPORT_MS);
    const counts = Object.entries(demo.takeCounts());
    const words = counts.map(([kind, { passed, failed }]) => `${kind} ${passed}/${passed + failed}`);
    const headline = await demo.headline().catch(() => "the first service does not answer");
    console.log(`${words.join("  ")}  sockets ${demo.openSockets()}  | ${headline}`);
  }
}

async function runScript(demo: DemoSite): Promise<void> {
  await wait(phaseMs);
  pull(demo, "authority");
  await wait(phaseMs);
  putBack(demo);
  await wait(phaseMs);
  over.abort();
}

async function readCommands(demo: DemoSite): Promise<void> {
  console.log(`commands: pull ${plugs.join(" | pull ")}, back, quit`);
  const lines = createInterface({ input: process.stdin });
  over.signal.addEventListener("abort", () => lines.close());
  for await (const line of lines) {
    const [command = "", what = "authority"] = line.trim().split(/\s+/);
    const plug = plugs.find((one) => one === what);
    if (command === "pull" && plug !== undefined) pull(demo, plug);
    else if (command === "back") putBack(demo);
    else if (command === "quit") break;
    else if (command !== "") console.log(`there is no command ${JSON.stringify(line.trim())}`);
  }
  over.abort();
}

function pull(demo: DemoSite, plug: Plug): void {
  demo.pull(plug);
  console.log(`--- pulled: the ${plug} of the provider hangs`);
}

function putBack(demo: DemoSite): void {
  demo.putBack();
  console.log("--- put back: the provider answers");
}

async function wait(ms: number): Promise<void> {
  await pause(ms, undefined, { signal: over.signal }).catch(() => {});
}
