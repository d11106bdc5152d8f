import { invalidOption, rejectUnknownOptions, readWholeNumber } from "../../core/options.ts";

const endpoints = ["discovery", "metadata", "jwks", "introspection", "validate"] as const;

/** `discovery` is OpenID Connect's, `metadata` that of RFC 8414; `validate` is `POST /auth/validate`. */
export type Endpoint = (typeof endpoints)[number];

const faultyAnswers = [
  "html",
  "no-content",
  "empty",
  "truncated",
  "wrong-schema",
  "string-booleans",
  "huge",
  "redirect",
  "endless",
  "slow-loris",
] as const;

/**
 * What comes instead of the right answer: `string-booleans` is `{"active":"false","valid":"false"}`; `huge` is the
 * right answer in 10 MB; `redirect` leads to the right answer; `slow-loris` is the right answer, a byte a second.
 */
export type FaultyAnswer = (typeof faultyAnswers)[number];

/** What is wrong with an endpoint. What is left out is right. */
export interface Fault {
  /** An error with this status, 200 to 599. With `answer`, the status of that. */
  status?: number;
  /** Sent besides the usual ones: `{ "Retry-After": "7" }`. */
  headers?: Readonly<Record<string, string>>;
  answer?: FaultyAnswer;
  /** An answer of the test's own. */
  respond?: (request: Request) => Response | Promise<Response>;
  /** The answer comes this much later; a function is asked for each request. */
  latencyMs?: number | (() => number);
  /** No answer until the fault is lifted; then, late, the right one: a process that was frozen and thawed. */
  hang?: boolean;
  /** No connection: `fetch` rejects as it does when nobody listens, a socket is reset. */
  refuse?: boolean;
  /** The share of requests that it strikes, 0 to 1. Default 1. */
  probability?: number;
  /** It strikes this many requests and is gone. */
  times?: number;
}

interface ActiveFault {
  readonly fault: Fault;
  remaining: number;
  readonly cleared: PromiseWithResolvers<void>;
}

/** A fault that strikes one request. */
export interface FaultHit extends Fault {
  /** Resolves when the fault is lifted. */
  readonly cleared: Promise<void>;
}

/** The faults that are on, one an endpoint. */
export class Faults {
  readonly #active = new Map<Endpoint, ActiveFault>();
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  /** In place of the endpoint's earlier one. Throws `invalid_option`. */
  set(where: Endpoint | "all", fault: Fault): void {
    checkFault(fault);
    for (const endpoint of endpointsOf(where)) {
      this.clear(endpoint);
      const left = fault.times ?? Infinity;
      this.#active.set(endpoint, { fault: { ...fault }, remaining: left, cleared: Promise.withResolvers() });
    }
  }

  clear(where: Endpoint | "all"): void {
    for (const endpoint of endpointsOf(where)) {
      this.#active.get(endpoint)?.cleared.resolve();
      this.#active.delete(endpoint);
    }
  }

  /** What strikes the endpoint's next request. */
  takeHit(endpoint: Endpoint): FaultHit | undefined {
    const active = this.#active.get(endpoint);
    if (active === undefined || active.remaining === 0) return undefined;
    if (this.#random() >= (active.fault.probability ?? 1)) return undefined;
    active.remaining--;
    return { ...active.fault, cleared: active.cleared.promise };
  }
}

function endpointsOf(where: Endpoint | "all"): readonly Endpoint[] {
  if (where === "all") return endpoints;
  if (!endpoints.includes(where)) throw invalidOption("endpoint", `all, ${endpoints.join(", ")}`, where);
  return [where];
}

const known = Object.keys({
  status: 0,
  headers: 0,
  answer: 0,
  respond: 0,
  latencyMs: 0,
  hang: 0,
  refuse: 0,
  probability: 0,
  times: 0,
} satisfies Record<keyof Fault, 0>);

function checkFault(fault: Fault): void {
  rejectUnknownOptions("fault", fault, known);
  const { status, answer, latencyMs, probability = 1, times } = fault;
  readWholeNumber("fault: status", status, { default: 200, min: 200, max: 599 });
  if (typeof latencyMs !== "function") readWholeNumber("fault: latencyMs", latencyMs, { default: 0, min: 0 });
  readWholeNumber("fault: times", times, { default: 1, min: 1 });
  if (answer !== undefined && !faultyAnswers.includes(answer)) {
    throw invalidOption("fault: answer", faultyAnswers.join(", "), answer);
  }
  if (!(probability >= 0 && probability <= 1)) {
    throw invalidOption("fault: probability", "a number from 0 to 1", probability);
  }
}
