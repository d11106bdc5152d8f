import { sleep, type Clock } from "../../core/clock.ts";
import { answerRequest, findEndpoint, type ProviderState } from "./endpoints.ts";
import type { Endpoint, Faults, FaultHit } from "./fault.ts";
import { errorResponse, applyFault } from "./apply-fault.ts";

export interface RequestCounts {
  readonly requests: number;
  /** Under way now, and the most there ever were. An answer is under way until its body has ended. */
  readonly concurrent: number;
  readonly mostConcurrent: number;
}

type Count = { -readonly [name in keyof RequestCounts]: number };

/** Where requests come in: counts them and lets the faults strike. */
export class RequestHandler {
  readonly #state: ProviderState;
  readonly #faults: Faults;
  readonly #clock: Clock;
  readonly #counts: Readonly<Record<Endpoint, Count>>;

  constructor(desk: ProviderState, faults: Faults, clock: Clock) {
    this.#state = desk;
    this.#faults = faults;
    this.#clock = clock;
    const none = (): Count => ({ requests: 0, concurrent: 0, mostConcurrent: 0 });
    this.#counts = {
      discovery: none(),
      metadata: none(),
      jwks: none(),
      introspection: none(),
      validate: none(),
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

  /** Rejects when the fault lets nobody connect, and with the signal's reason. */
  async handle(request: Request, signal: AbortSignal): Promise<Response> {
    const url = new URL(request.url);
    const endpoint = findEndpoint(url, this.#state.issuer);
    if (endpoint === undefined) return errorResponse(404, "not_found");
    // Whoever follows a redirect gets what it should not have asked for.
    const strike = url.searchParams.has("followed") ? undefined : this.#faults.takeHit(endpoint);
    const leave = this.#countRequest(endpoint);
    let streams = false;
    try {
      const right = async () => await answerRequest(this.#state, endpoint, request);
      if (strike === undefined) return await right();
      await this.#delay(strike, signal);
      streams = strike.answer === "endless" || strike.answer === "slow-loris";
      return await applyFault(strike, {
        request,
        correctResponse: right,
        clock: this.#clock,
        signal,
        onBodyEnd: leave,
      });
    } finally {
      if (!streams) leave();
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
    let inside = true;
    return () => {
      if (inside) count.concurrent--;
      inside = false;
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

/** What `fetch` rejects with when nobody listens. */
function connectionRefused(): TypeError {
  const cause = Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
  return new TypeError("fetch failed", { cause });
}
