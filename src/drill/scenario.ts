import { setTimeout as sleep } from "node:timers/promises";
import type { WebSocketClients } from "./websocket-clients.ts";
import { Phase } from "./phase.ts";
import { Traffic } from "./traffic.ts";
import type { AuthorityState, Environment } from "./environment.ts";

export interface ScenarioOptions {
  readonly phaseMs: number;
  readonly perSecond: number;
  /** The open WebSocket connections. */
  readonly webSockets: WebSocketClients;
  /** Called about once a second, and at the end of each phase. */
  readonly onProgress: (phase: Phase, over: boolean) => void;
  readonly signal: AbortSignal;
}

const steps: readonly (readonly [name: string, state: AuthorityState])[] = [
  ["steady", "up"],
  ["down", "down"],
  ["restored", "up"],
  ["frozen", "frozen"],
  ["restored", "up"],
  ["flapping", "flapping"],
  ["restored", "up"],
  ["slow", "slow"],
];

/** A breaker stays open for at most 10 s, and the probe that closes it needs some time, too. */
export const RECOVERY_MS = 15_000;
/** The time without a single impaired answer that counts as recovered. */
export const STEADY_MS = 1_000;

/** Runs the phases one after the other, with requests all the time. Resolves with the phases and their samples. */
export async function runScenario(
  environment: Environment,
  options: ScenarioOptions,
): Promise<readonly Phase[]> {
  const phases: Phase[] = [];
  const traffic = new Traffic(environment, options.perSecond, (sample) => {
    // A sample belongs to the phase in which it was sent. In an outage it belongs to the outage, because the request
    // may have been sent before the outage and answered in it.
    phases.findLast(({ startedAt, isOutage }) => isOutage || startedAt <= sample.at)?.add(sample);
  });

  try {
    for (const [name, state] of steps) {
      if (state === "slow" && !environment.isLocal) continue;
      // The API is started anew for this phase, so no connection survives.
      if (state === "slow") await Promise.all([traffic.stop(), options.webSockets.close()]);
      // An outage begins before the change of state, and a recovery after it.
      const isOutage = state === "down" || state === "frozen" || state === "flapping";
      if (isOutage) phases.push(new Phase(name, isOutage));
      const revoked = await environment.setAuthority(state, (token) => traffic.expectRevocation(token));
      if (revoked !== null) {
        traffic.addRevoked(revoked);
        options.webSockets.revoked.push(revoked);
      }
      if (!isOutage) phases.push(new Phase(name, isOutage));
      traffic.start();
      await runPhase(phases.at(-1) as Phase, options);
    }
    return phases;
  } finally {
    await Promise.all([traffic.stop(), options.webSockets.close()]);
  }
}

/** Waits until the phase is over. A phase of recovery lasts longer when the recovery does, within its bound. */
async function runPhase(phase: Phase, { phaseMs, onProgress, signal }: ScenarioOptions): Promise<void> {
  const isOver = () => {
    const elapsedMs = performance.now() - phase.startedAt;
    const isSteady = phase.name !== "restored" || elapsedMs - phase.impairedUntilMs >= STEADY_MS;
    return elapsedMs >= (isSteady ? phaseMs : Math.max(phaseMs, RECOVERY_MS));
  };
  for (let over = false; !over; onProgress(phase, over)) {
    await sleep(Math.min(1000, phaseMs), null, { signal });
    over = isOver();
  }
}
