import type { ProcessContext } from "../../src/testing/simulation/index.ts";
import { healthUrl, ownApiUrl } from "../addresses.ts";
import { callApi, withTimeout } from "../http.ts";
import type { ClientParts } from "./session.ts";

const PAUSE_MS = 4_000;
const TIMEOUT_MS = 2_000;
/** Requests that a service gets before it is asked for its health. */
const REQUESTS = 2;

/** What the health of a service says about one thing that users ask for. */
interface OutcomeText {
  readonly status: string;
}

/** Asks the services for their health, as a load balancer and a dashboard do, right after requests to the same service. */
export async function runProber(
  context: ProcessContext,
  { plan, recorder, leaks }: ClientParts,
): Promise<void> {
  const { sleep, random, fetch } = context;
  for (;;) {
    await sleep(PAUSE_MS * 2 * random());
    const service = plan.services[Math.floor(random() * plan.services.length)] as string;
    for (const { access, session } of leaks.access.slice(-REQUESTS)) {
      const answerRequest = recorder.call("request", { token: recorder.nameOf(access), session });
      answerRequest({ status: await callApi(context, ownApiUrl(service), access) });
    }
    const answer = recorder.call("health", { service });
    try {
      const url = healthUrl(service);
      const response = await withTimeout(TIMEOUT_MS, async (signal) => await fetch(url, { signal }));
      const outcomes = (await response.json()) as Readonly<Record<string, OutcomeText>>;
      const told = Object.entries(outcomes).map(([name, { status }]) => [name, status]);
      answer({ status: response.status, ...Object.fromEntries(told) });
    } catch {
      // The way to the service, or the service itself, is down.
    }
  }
}
