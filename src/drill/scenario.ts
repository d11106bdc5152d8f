import { setTimeout as sleep } from "node:timers/promises";
import type { WebSocketClients } from "./websocket-clients.ts";
import { Phase } from "./phase.ts";
import { Traffic } from "./traffic.ts";
import type { AuthorityState, Environment } from "./environment.ts";

export interface ScenarioOptions {
  readonly phaseMs: number;
  readonly perSecond: number;
  /** Connections that are open. */
  readonly webSockets: WebSocketClients;
  /** Called about once a second, and when a phase is over. */
  readonly onProgress: (phase: Phase, over: boolean) => void;
  readonly signal: AbortSignal;
}

const steps: readonly (readonly [name: string, weather: AuthorityState])[] = [
  ["steady", "up"],
  ["down", "down"],
  ["restored", "up"],
  ["frozen", "frozen"],
  ["restored", "up"],
  ["flapping", "flapping"],
  ["restored", "up"],
  ["slow", "slow"],
];

/** A breaker stays open for 10 s at most, and the probe that closes it takes a moment. */
export const RECOVERY_MS = 15_000;
/** As usual for so long counts as recovered. */
export const STEADY_MS = 1_000;

/** Lets the authority fail in each way, one after the other, while requests go on. */
export async function runScenario(world: Environment, options: ScenarioOptions): Promise<readonly Phase[]> {
  const phases: Phase[] = [];
  const traffic = new Traffic(world, options.perSecond, (sample) => {
    // It belongs to the phase in which it was sent, unless something broke before it was answered.
    phases.findLast(({ startedAt, isOutage }) => isOutage || startedAt <= sample.at)?.add(sample);
  });

  try {
    for (const [name, weather] of steps) {
      if (weather === "slow" && !world.isLocal) continue;
      // The API is started anew, which no connection survives.
      if (weather === "slow") await Promise.all([traffic.stop(), options.webSockets.close()]);
      // An outage begins as soon as something is done; its end is when that is done.
      const breaks = weather === "down" || weather === "frozen" || weather === "flapping";
      if (breaks) phases.push(new Phase(name, breaks));
      const revoked = await world.setAuthority(weather);
      if (revoked !== null) {
        traffic.addRevoked(revoked);
        options.webSockets.revoked.push(revoked);
      }
      if (!breaks) phases.push(new Phase(name, breaks));
      traffic.start();
      await runPhase(phases.at(-1) as Phase, options);
    }
    return phases;
  } finally {
    await Promise.all([traffic.stop(), options.webSockets.close()]);
  }
}

/** Lets the phase go on for its time; one that is to bring recovery, until then. */
async function runPhase(phase: Phase, { phaseMs, onProgress, signal }: ScenarioOptions): Promise<void> {
  const isOver = () => {
    const elapsedMs = performance.now() - phase.startedAt;
    const isCalm = phase.name !== "restored" || elapsedMs - phase.impairedUntilMs >= STEADY_MS;
    return elapsedMs >= (isCalm ? phaseMs : Math.max(phaseMs, RECOVERY_MS));
  };
  for (let over = false; !over; onProgress(phase, over)) {
    await sleep(Math.min(1000, phaseMs), null, { signal });
    over = isOver();
  }
}
