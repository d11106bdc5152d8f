import type { ProcessContext } from "../../src/testing/simulation/index.ts";
import { healthUrl } from "../addresses.ts";
import type { ClientParts } from "./session.ts";

const PAUSE_MS = 4_000;
const TIMEOUT_MS = 2_000;

/** What the health of a service says about one thing that users ask for. */
interface OutcomeText {
  readonly status: string;
}

/** Asks the services for their health, as a load balancer and a dashboard do. */
export async function runProber(context: ProcessContext, { plan, recorder }: ClientParts): Promise<void> {
  const { sleep, random, fetch } = context;
  for (;;) {
    await sleep(PAUSE_MS * 2 * random());
    const service = plan.services[Math.floor(random() * plan.services.length)] as string;
    const answer = recorder.call("health", { service });
    try {
      const signal = AbortSignal.timeout(TIMEOUT_MS);
      const response = await fetch(healthUrl(service), { signal });
      const outcomes = (await response.json()) as Readonly<Record<string, OutcomeText>>;
      const told = Object.entries(outcomes).map(([name, { status }]) => [name, status]);
      answer({ status: response.status, ...Object.fromEntries(told) });
    } catch {
      // The way to the service, or the service itself, is down.
    }
  }
}
