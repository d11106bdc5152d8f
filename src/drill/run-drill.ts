import { runChecks } from "./checks.ts";
import type { Environment } from "./environment.ts";
import { LocalEnvironment } from "./local-environment.ts";
import type { Phase } from "./phase.ts";
import { formatCheck, formatPhase, tableHeading } from "./report.ts";
import { runScenario } from "./scenario.ts";
import { TargetEnvironment } from "./target-environment.ts";
import { WebSocketClients } from "./websocket-clients.ts";

/** A service of the user. */
export interface DrillTarget {
  /** An address that a good token may GET. */
  readonly url: string;
  /** The real address of the authority. */
  readonly authority: string;
  /** At least one good token. */
  readonly tokens: readonly string[];
}

export interface DrillOptions {
  readonly phaseMs: number;
  readonly perSecond: number;
  /** How many WebSocket connections stay open during the drill. Must be 0 with a target. */
  readonly connections: number;
  /** `null` when the drill starts its own API. */
  readonly target: DrillTarget | null;
  readonly signal: AbortSignal;
}

/** Runs the drill and prints the table and the checks. Resolves with whether every check passed. */
export async function runDrill(options: DrillOptions): Promise<boolean> {
  const { phaseMs, perSecond, connections, target, signal } = options;
  let environment: Environment | undefined;
  try {
    environment =
      target === null
        ? await LocalEnvironment.start(connections)
        : await startTargetEnvironment(target, signal);
    const description = `${phaseMs / 1000} s a phase, ${perSecond} requests a second to ${environment.url}`;
    console.log(`${description}\n\n${tableHeading}`);
    const webSockets = new WebSocketClients();
    if (connections > 0) await webSockets.open(environment, connections);
    const scenario = { phaseMs, perSecond, webSockets, onProgress: showProgress, signal };
    const phases = await runScenario(environment, scenario);
    const results = runChecks(phases, webSockets, environment.isLocal);
    console.log(`\n${results.map(formatCheck).join("\n")}`);
    return results.every(({ passed }) => passed);
  } finally {
    await environment?.close();
  }
}

/** Starts the proxy and waits until the service uses it. */
async function startTargetEnvironment(
  { url, authority, tokens }: DrillTarget,
  signal: AbortSignal,
): Promise<Environment> {
  const environment = await TargetEnvironment.start(url, authority, tokens);
  try {
    console.log(`Start your service with its authority at ${environment.authority}`);
    await environment.ready((missing) => console.log(`waiting: ${missing}`), signal);
    return environment;
  } catch (error) {
    await environment.close();
    throw error;
  }
}

/** Prints the row of a phase. On a terminal the row is updated while the phase lasts. */
function showProgress(phase: Phase, isOver: boolean): void {
  const line = formatPhase(phase);
  if (!process.stdout.isTTY) {
    if (isOver) console.log(line);
    return;
  }
  process.stdout.write(`\r\x1b[K${isOver ? `${line}\n` : line.slice(0, process.stdout.columns - 1)}`);
}
