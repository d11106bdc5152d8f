import type { RevokedToken, Environment } from "./environment.ts";

/** From good to bad. */
export const outcomes = ["ok", "degraded", "unavailable", "refused", "failed"] as const;

/** 200, 200 without the authority, 503, 401, anything else. */
export type RequestOutcome = (typeof outcomes)[number];

/** One request. */
export interface Sample {
  /** When it was sent: monotonic, milliseconds. */
  readonly at: number;
  readonly outcome: RequestOutcome;
  /** As the client saw it. */
  readonly tookMs: number;
  /** What the decision alone took, where the API tells. */
  readonly decisionMs: number | null;
  /** How long the guard would wait for its authority; 0 where nobody waits, because its breaker is open. */
  readonly softTimeoutMs: number;
  /** A 503 with `Retry-After`. */
  readonly hasRetryAfter: boolean;
  /** `null` for a good token. */
  readonly revoked: RevokedToken | null;
}

const TIMEOUT_MS = 10_000;
const FRESH_EVERY = 4;
const REVOKED_EVERY = 5;

/** Requests at a steady rate, whatever becomes of them. */
export class Traffic {
  readonly #environment: Environment;
  readonly #perSecond: number;
  readonly #onSample: (sample: Sample) => void;
  readonly #revoked: RevokedToken[] = [];
  readonly #inFlight = new Set<Promise<void>>();
  #timer: NodeJS.Timeout | undefined;
  #sent = 0;

  constructor(environment: Environment, perSecond: number, onSample: (sample: Sample) => void) {
    this.#environment = environment;
    this.#perSecond = perSecond;
    this.#onSample = onSample;
  }

  /** Does nothing where it goes on already. */
  start(): void {
    const began = performance.now();
    let sent = 0;
    this.#timer ??= setInterval(() => {
      for (; sent < ((performance.now() - began) * this.#perSecond) / 1000; sent++) this.#send();
    }, 1000 / this.#perSecond);
  }

  /** Resolves when all that is under way has been answered. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#timer = undefined;
    await Promise.all(this.#inFlight);
  }

  /** Sends a revoked token, too, from now on. */
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
    const header = (name: string) => response?.headers.get(name) ?? null;
    const told = /guard;dur=([\d.]+)/.exec(header("Server-Timing") ?? "")?.[1];
    this.#onSample({
      at,
      outcome: outcomeOf(response),
      tookMs: performance.now() - at,
      decisionMs: told === undefined ? null : Number(told),
      softTimeoutMs: header("X-Breaker") === "closed" ? Number(header("X-Soft-Timeout")) : 0,
      hasRetryAfter: header("Retry-After") !== null,
      revoked,
    });
  }
}

function outcomeOf(response: Response | null): RequestOutcome {
  // A gateway says nothing in it where all is well.
  if (response?.ok === true) return response.headers.get("X-Auth-Degraded") ? "degraded" : "ok";
  if (response?.status === 401) return "refused";
  return response?.status === 503 ? "unavailable" : "failed";
}
