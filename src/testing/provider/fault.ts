import { invalidOption, rejectUnknownOptions, readWholeNumber } from "../../core/options.ts";

const endpoints = ["discovery", "metadata", "jwks", "introspection", "validate"] as const;

/** An endpoint. `discovery` is OpenID Connect's, `metadata` is RFC 8414's, and `validate` is `POST /auth/validate`. */
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
 * The body of a faulty answer.
 * - `html`: an HTML page.
 * - `no-content`: status 204 without a body.
 * - `empty`: status 200 without a body.
 * - `truncated`: the first half of the correct answer.
 * - `wrong-schema`: the correct answer as the member `data` of another object.
 * - `string-booleans`: `{"active":"false","valid":"false"}`.
 * - `huge`: the correct answer, padded to more than 10 MB.
 * - `redirect`: a redirect to the correct answer.
 * - `endless`: a JSON array that never ends.
 * - `slow-loris`: the correct answer, one byte a second.
 */
export type FaultyAnswer = (typeof faultyAnswers)[number];

/** A fault of an endpoint. The endpoint answers correctly without members. */
export interface Fault {
  /** Answers an error with this status, 200 to 599. With `answer` it is the status of that answer. */
  status?: number;
  /** Additional headers, such as `{ "Retry-After": "7" }`. */
  headers?: Readonly<Record<string, string>>;
  /** Answers with this body. */
  answer?: FaultyAnswer;
  /** Answers with the response of this function. */
  respond?: (request: Request) => Response | Promise<Response>;
  /** Delays the answer, milliseconds. A function is called for each request. */
  latencyMs?: number | (() => number);
  /** Holds requests until the fault is cleared, then answers them: a process that was frozen and thawed. */
  hang?: boolean;
  /** Refuses connections: `fetch` rejects as for a closed port, and a socket is reset. */
  refuse?: boolean;
  /** Fraction of the requests that the fault hits, 0 to 1. Default 1. */
  probability?: number;
  /** Number of requests that the fault hits before it ends. Default: no limit. */
  times?: number;
}

interface ActiveFault {
  readonly fault: Fault;
  remaining: number;
  readonly cleared: PromiseWithResolvers<void>;
}

/** A fault that hits one request. */
export interface FaultHit extends Fault {
  /** Resolves when the fault is cleared. */
  readonly cleared: Promise<void>;
}

/** The active faults, at most one for each endpoint. */
export class Faults {
  readonly #active = new Map<Endpoint, ActiveFault>();
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  /** Sets the fault of an endpoint, in place of an earlier one. Throws `invalid_option`. */
  set(target: Endpoint | "all", fault: Fault): void {
    checkFault(fault);
    for (const endpoint of endpointsOf(target)) {
      this.clear(endpoint);
      const left = fault.times ?? Infinity;
      this.#active.set(endpoint, { fault: { ...fault }, remaining: left, cleared: Promise.withResolvers() });
    }
  }

  clear(target: Endpoint | "all"): void {
    for (const endpoint of endpointsOf(target)) {
      this.#active.get(endpoint)?.cleared.resolve();
      this.#active.delete(endpoint);
    }
  }

  /** Returns the fault for the endpoint's next request. `undefined` when the request is answered correctly. */
  takeHit(endpoint: Endpoint): FaultHit | undefined {
    const active = this.#active.get(endpoint);
    if (active === undefined || active.remaining === 0) return undefined;
    if (this.#random() >= (active.fault.probability ?? 1)) return undefined;
    active.remaining--;
    return { ...active.fault, cleared: active.cleared.promise };
  }
}

function endpointsOf(target: Endpoint | "all"): readonly Endpoint[] {
  if (target === "all") return endpoints;
  if (!endpoints.includes(target)) throw invalidOption("endpoint", `all, ${endpoints.join(", ")}`, target);
  return [target];
}

/** The compiler keeps the names complete. */
const faultNames = Object.keys({
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
  rejectUnknownOptions("fault", fault, faultNames);
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
