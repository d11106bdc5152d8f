import { sleep, type Clock } from "../../core/clock.ts";
import { answerRequest, findEndpoint, type ProviderState } from "./endpoints.ts";
import type { Endpoint, Faults, FaultHit } from "./fault.ts";
import { errorResponse, applyFault } from "./apply-fault.ts";

/** Counts of the requests to one endpoint. */
export interface RequestCounts {
  readonly requests: number;
  /** Requests in flight. A request is in flight until the body of its answer has ended. */
  readonly concurrent: number;
  /** Largest number of requests in flight so far. */
  readonly mostConcurrent: number;
}

type Count = { -readonly [name in keyof RequestCounts]: number };

/** Counts requests, applies faults and answers. */
export class RequestHandler {
  readonly #state: ProviderState;
  readonly #faults: Faults;
  readonly #clock: Clock;
  readonly #counts: Readonly<Record<Endpoint, Count>>;

  constructor(state: ProviderState, faults: Faults, clock: Clock) {
    this.#state = state;
    this.#faults = faults;
    this.#clock = clock;
    const createCount = (): Count => ({ requests: 0, concurrent: 0, mostConcurrent: 0 });
    this.#counts = {
      discovery: createCount(),
      metadata: createCount(),
      jwks: createCount(),
      introspection: createCount(),
      validate: createCount(),
    };
  }

  counts(endpoint: Endpoint): RequestCounts {
    return { ...this.#counts[endpoint] };
  }

  resetCounts(): void {
    for (const count of Object.values(this.#counts)) {
      count.requests = 0;
      count.mostConcurrent = count.concurrent;
    }
  }

  /** Answers a request. Rejects when a fault refuses connections, and with the signal's reason. */
  async handle(request: Request, signal: AbortSignal): Promise<Response> {
    const url = new URL(request.url);
    const endpoint = findEndpoint(url, this.#state.issuer);
    if (endpoint === undefined) return errorResponse(404, "not_found");
    // A client that wrongly follows a redirect gets the correct answer, so that a test notices it.
    const hit = url.searchParams.has("followed") ? undefined : this.#faults.takeHit(endpoint);
    const endRequest = this.#countRequest(endpoint);
    let isStreamed = false;
    try {
      const correctResponse = async () => await answerRequest(this.#state, endpoint, request);
      if (hit === undefined) return await correctResponse();
      await this.#delay(hit, signal);
      isStreamed = hit.answer === "endless" || hit.answer === "slow-loris";
      return await applyFault(hit, {
        request,
        correctResponse,
        clock: this.#clock,
        signal,
        onBodyEnd: endRequest,
      });
    } finally {
      if (!isStreamed) endRequest();
    }
  }

  async #delay({ refuse, latencyMs = 0, hang, cleared }: FaultHit, signal: AbortSignal): Promise<void> {
    if (refuse === true) throw connectionRefused();
    const ms = typeof latencyMs === "function" ? latencyMs() : latencyMs;
    if (ms > 0) await sleep(this.#clock, ms, signal);
    if (hang === true) await Promise.race([cleared, rejectOnAbort(signal)]);
  }

  #countRequest(endpoint: Endpoint): () => void {
    const count = this.#counts[endpoint];
    count.requests++;
    count.mostConcurrent = Math.max(count.mostConcurrent, ++count.concurrent);
    let isInFlight = true;
    return () => {
      if (isInFlight) count.concurrent--;
      isInFlight = false;
    };
  }
}

/** Rejects with the signal's reason. */
async function rejectOnAbort(signal: AbortSignal): Promise<never> {
  signal.throwIfAborted();
  return await new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  });
}

/** The rejection of `fetch` for a closed port. */
function connectionRefused(): TypeError {
  const cause = Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
  return new TypeError("fetch failed", { cause });
}
