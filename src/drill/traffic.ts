import type { RevokedToken, Environment } from "./environment.ts";

/** The outcomes of a request, from best to worst. */
export const outcomes = ["ok", "degraded", "unavailable", "refused", "failed"] as const;

/** 200, 200 without the authority, 503, 401, or any other outcome. */
export type RequestOutcome = (typeof outcomes)[number];

/** One answered request. */
export interface Sample {
  /** When the request was sent, on the monotonic clock, in milliseconds. */
  readonly at: number;
  readonly outcome: RequestOutcome;
  /** The duration that the client measured. */
  readonly tookMs: number;
  /** The duration of the decision alone. `null` when the API does not report it. */
  readonly decisionMs: number | null;
  /** How long the guard would wait for its authority. 0 while the breaker is open, because no call waits then. */
  readonly softTimeoutMs: number;
  /** Whether the answer has `Retry-After`. */
  readonly hasRetryAfter: boolean;
  /** `null` for a good token. */
  readonly revoked: RevokedToken | null;
}

const TIMEOUT_MS = 10_000;
const FRESH_EVERY = 4;
const REVOKED_EVERY = 5;

/** Sends requests at a constant rate and reports each answer. It does not wait for one answer before the next request. */
export class Traffic {
  readonly #environment: Environment;
  readonly #perSecond: number;
  readonly #onSample: (sample: Sample) => void;
  readonly #revoked: RevokedToken[] = [];
  /** Tokens whose revocation has begun. */
  readonly #ending = new Set<string>();
  readonly #inFlight = new Set<Promise<void>>();
  #timer: NodeJS.Timeout | undefined;
  #sent = 0;

  constructor(environment: Environment, perSecond: number, onSample: (sample: Sample) => void) {
    this.#environment = environment;
    this.#perSecond = perSecond;
    this.#onSample = onSample;
  }

  /** Starts the requests. Does nothing when they have started already. */
  start(): void {
    const startedAt = performance.now();
    let sent = 0;
    this.#timer ??= setInterval(() => {
      for (; sent < ((performance.now() - startedAt) * this.#perSecond) / 1000; sent++) this.#send();
    }, 1000 / this.#perSecond);
  }

  /** Stops the requests. Resolves when every request has its answer. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#timer = undefined;
    await Promise.all(this.#inFlight);
  }

  /**
   * Announces that a token is about to be revoked. A request with this token may be under way, and its 401 is then not a
   * false one.
   */
  expectRevocation(token: string): void {
    this.#ending.add(token);
  }

  /** Sends the revoked token, too, from now on. */
  addRevoked(revoked: RevokedToken): void {
    this.#revoked.push(revoked);
  }

  #send(): void {
    const nth = this.#sent++;
    this.#track(this.#environment.token(nth % FRESH_EVERY === 0), null);
    if (nth % REVOKED_EVERY === 0) for (const revoked of this.#revoked) this.#track(revoked.token, revoked);
  }

  #track(token: string, revoked: RevokedToken | null): void {
    const request = this.#request(token, revoked).finally(() => this.#inFlight.delete(request));
    this.#inFlight.add(request);
  }

  async #request(token: string, revoked: RevokedToken | null): Promise<void> {
    const at = performance.now();
    let response: Response | null = null;
    try {
      const headers = { authorization: `Bearer ${token}` };
      const signal = AbortSignal.timeout(TIMEOUT_MS);
      response = await fetch(this.#environment.url, { headers, signal, redirect: "manual" });
      await response.arrayBuffer();
    } catch {
      response = null;
    }
    const outcome = outcomeOf(response);
    if (revoked === null && outcome === "refused" && this.#ending.has(token)) return;
    const header = (name: string) => response?.headers.get(name) ?? null;
    const decisionMs = /guard;dur=([\d.]+)/.exec(header("Server-Timing") ?? "")?.[1];
    this.#onSample({
      at,
      outcome,
      tookMs: performance.now() - at,
      decisionMs: decisionMs === undefined ? null : Number(decisionMs),
      softTimeoutMs: header("X-Breaker") === "closed" ? Number(header("X-Soft-Timeout")) : 0,
      hasRetryAfter: header("Retry-After") !== null,
      revoked,
    });
  }
}

function outcomeOf(response: Response | null): RequestOutcome {
  // A gateway sends the header always, and leaves it empty in normal operation.
  if (response?.ok === true) return response.headers.get("X-Auth-Degraded") ? "degraded" : "ok";
  if (response?.status === 401) return "refused";
  return response?.status === 503 ? "unavailable" : "failed";
}
