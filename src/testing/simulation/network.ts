import { invalidValue } from "../../core/option-values.ts";
import { checkFunction, checkHost, checkProcessName } from "./argument-checks.ts";
import { createConditions, type NetworkConditions } from "./network-conditions.ts";
import type { Machine, Scheduler } from "./scheduler.ts";
import { BODILESS, readWhole, wholeResponse } from "./whole-response.ts";

/** Answers the requests to a host. `from` is the name of the process that sent the request. */
export type RequestHandler = (request: Request, from: string) => Response | Promise<Response>;

/** `fetch` over the simulated network. */
export type SimulatedFetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>;

interface Listener {
  readonly process: Machine;
  life: number;
  handler: RequestHandler;
}

/** Any process, in {@link SimulatedNetwork.cut}. */
const ANY = "*";

/**
 * The network of a world. Each message takes a random time, so messages overtake each other. A message that is lost, or
 * sent into a cut, is never answered: the caller waits until its own deadline.
 *
 * @example
 * ```ts
 * import { World } from "holdfast/testing/simulation";
 *
 * const world = new World({ seed: 3 });
 * world.network.conditions.drop = 0.01;
 * world.process("auth", ({ listen }) => listen("auth.example", () => new Response("hello")));
 * world.process("api", async ({ fetch }) => void (await fetch("http://auth.example/")));
 * const heal = world.network.cut("api", "auth"); // answers of "auth" still arrive
 * world.after(30_000, heal);
 * ```
 */
export class SimulatedNetwork {
  readonly conditions: NetworkConditions = createConditions();
  readonly #world: Scheduler;
  readonly #listeners = new Map<string, Listener[]>();
  /** `from>to` → how many cuts hold. */
  readonly #cuts = new Map<string, number>();

  /** @internal A world creates its network. */
  constructor(world: Scheduler) {
    this.#world = world;
  }

  /**
   * Loses every message that the process `from` sends to `to`. `"*"` stands for any process. A cut in one direction
   * leaves connections half open. The returned function ends the cut. Throws `invalid_option` for an unknown process.
   */
  cut(from: string, to: string): () => void {
    const known = this.#world.processes.map(({ name }) => name);
    checkProcessName("network.cut: from", known, true, from);
    checkProcessName("network.cut: to", known, true, to);
    const key = `${from}>${to}`;
    this.#cuts.set(key, (this.#cuts.get(key) ?? 0) + 1);
    this.#world.note(() => `cut ${key}`);
    let isCut = true;
    return () => {
      if (!isCut) return;
      isCut = false;
      this.#world.note(() => `heal ${key}`);
      const left = (this.#cuts.get(key) ?? 1) - 1;
      if (left === 0) this.#cuts.delete(key);
      else this.#cuts.set(key, left);
    };
  }

  /** Cuts a process off from all others, in both directions. The returned function ends it. */
  isolate(name: string): () => void {
    const known = this.#world.processes.map((process) => process.name);
    checkProcessName("network.isolate: name", known, false, name);
    const ends = [this.cut(name, ANY), this.cut(ANY, name)];
    return () => ends.forEach((end) => end());
  }

  /** @internal Whether a message gets lost. Draws a random number. */
  isLost(from: string, to: string, label: string): boolean {
    const isLost = this.#drawLoss(from, to);
    if (isLost) this.#world.note(() => `lost ${label} ${from}>${to}`);
    return isLost;
  }

  #drawLoss(from: string, to: string): boolean {
    if (this.#cuts.size > 0) {
      const keys = [`${from}>${to}`, `${from}>${ANY}`, `${ANY}>${to}`];
      if (keys.some((key) => this.#cuts.has(key))) return true;
    }
    return this.conditions.drop > 0 && this.#world.random() < this.conditions.drop;
  }

  /** @internal The time of one message. */
  delayMs(): number {
    const { random } = this.#world;
    const { latencyMs, slow, slowMs } = this.conditions;
    const [min, max] = slow > 0 && random() < slow ? slowMs : latencyMs;
    return min + random() * (max - min);
  }

  /** @internal */
  listen(host: string, process: Machine, handler: RequestHandler): void {
    checkHost("listen: host", host);
    checkFunction("listen: handler", handler);
    const listeners = this.#listeners.get(host) ?? [];
    this.#listeners.set(host, listeners);
    const known = listeners.find((listener) => listener.process === process);
    if (known === undefined) listeners.push({ process, life: process.life, handler });
    else Object.assign(known, { life: process.life, handler });
  }

  /** @internal The `fetch` of one life of a process. */
  createFetch(caller: Machine): SimulatedFetch {
    return async (input, init = {}) => {
      if (!(input instanceof Request) && isWhole(init.body)) return await this.#send(caller, input, init);
      const request = new Request(input, init);
      const body = request.body === null ? null : new Uint8Array(await request.arrayBuffer());
      const { url, method, headers, redirect, signal } = request;
      return await this.#send(caller, url, { method, headers, redirect, signal, body });
    };
  }

  async #send(caller: Machine, url: string | URL, { signal, ...init }: RequestInit): Promise<Response> {
    signal?.throwIfAborted();
    const leaving = new AbortController();
    // It is a request to the server from here on, and the signal of the caller reaches the server by a message.
    const arriving = new Request(url, { ...init, signal: leaving.signal });
    const { host, pathname } = new URL(arriving.url);
    const label = `${arriving.method} ${host}${pathname}`;
    const listener = this.#choose(host);
    return await new Promise<Response>((resolve, reject) => {
      const server = listener?.process.name ?? "";
      const exchange = new Exchange(this.#world, { caller, server, label, leaving }, resolve, reject);
      signal?.addEventListener("abort", () => exchange.abort(signal.reason as Error, this), { once: true });
      if (listener === undefined) return exchange.refuse(this.delayMs(), "ENOTFOUND");
      exchange.followCaller(this);
      // A duplicate is the retry of a client or proxy, so that it comes from the same caller.
      const isDoubled = this.#world.random() < this.conditions.duplicate;
      if (isDoubled) this.#world.note(() => `duplicate ${label}`);
      const copies = isDoubled ? [arriving.clone(), arriving] : [arriving];
      for (const copy of copies) {
        if (this.isLost(caller.name, server, label)) continue;
        this.#world.plan(this.delayMs(), null, `request ${label} ${caller.name}>${server}`, () =>
          this.#arrive(exchange, listener, copy),
        );
      }
    });
  }

  /** Each request goes to one of the processes that serve the host, also to one that is down. */
  #choose(host: string): Listener | undefined {
    const listeners = this.#listeners.get(host) ?? [];
    if (listeners.length < 2) return listeners[0];
    return listeners[Math.floor(this.#world.random() * listeners.length)];
  }

  #arrive(exchange: Exchange, listener: Listener, request: Request): void {
    const { process } = listener;
    if (!process.isAlive || process.life !== listener.life) {
      return exchange.refuse(this.delayMs(), "ECONNREFUSED");
    }
    this.#world.plan(0, process, `serve ${exchange.label}`, () => {
      const forget = process.onCrash(() => exchange.refuse(this.delayMs(), "ECONNRESET"));
      void this.#serve(exchange, listener, request).finally(forget);
    });
  }

  async #serve(exchange: Exchange, { process, handler }: Listener, request: Request): Promise<void> {
    const { life } = process;
    let response: Response;
    let body: Awaited<ReturnType<typeof readWhole>>;
    try {
      response = await handler(request, exchange.caller.name);
      // The class may be that of another library, so the check asks for the method.
      if (typeof (response as Partial<Response> | null | undefined)?.arrayBuffer !== "function") {
        throw invalidValue(`the result of the handler for ${exchange.label}`, "a Response", response);
      }
      body = await readWhole(response);
    } catch (error) {
      this.#world.reportFailure(process, error);
      response = new Response(null, { status: 500 });
      body = null;
    }
    if (!process.isAlive || process.life !== life) return;
    if (this.isLost(process.name, exchange.caller.name, `answer ${response.status} ${exchange.label}`))
      return;
    exchange.answer(this.delayMs(), response, body);
  }
}

/** Whether a body is in memory as a whole. No part of it is read from a stream later. */
function isWhole(body: RequestInit["body"]): boolean {
  return body === undefined || body === null || typeof body === "string" || body instanceof URLSearchParams;
}

/** The parties of an exchange. */
interface ExchangeParts {
  readonly caller: Machine;
  /** Name of the process to which the request goes. Empty when the host is unknown. */
  readonly server: string;
  readonly label: string;
  /** Aborts the requests that arrive: the caller has gone. */
  readonly leaving: AbortController;
}

/** A request whose caller waits. The first answer counts. */
class Exchange {
  readonly caller: Machine;
  readonly server: string;
  readonly label: string;
  readonly #world: Scheduler;
  readonly #life: number;
  readonly #resolve: (response: Response) => void;
  readonly #reject: (error: Error) => void;
  readonly #leaving: AbortController;
  #isOver = false;
  #forget: () => void = () => undefined;

  constructor(
    world: Scheduler,
    { caller, server, label, leaving }: ExchangeParts,
    resolve: (response: Response) => void,
    reject: (error: Error) => void,
  ) {
    this.#world = world;
    this.caller = caller;
    this.server = server;
    this.label = label;
    this.#life = caller.life;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#leaving = leaving;
  }

  /** The caller stops waiting. The server learns of it later, or never. */
  abort(error: Error, network: SimulatedNetwork): void {
    if (!this.#isOver) this.#world.note(() => `abort ${this.label}`);
    this.#reject(error);
    this.#tellServer(network);
  }

  /** A crash of the caller ends the connection. */
  followCaller(network: SimulatedNetwork): void {
    this.#forget = this.caller.onCrash(() => this.#tellServer(network));
  }

  /** Sends the end of the connection to the server. */
  #tellServer(network: SimulatedNetwork): void {
    if (this.#isOver) return;
    this.#end();
    const label = `end ${this.label}`;
    if (network.isLost(this.caller.name, this.server, label)) return;
    this.#world.plan(network.delayMs(), null, label, () => this.#leaving.abort());
  }

  /** Tells the caller after `ms` that the connection failed, as `fetch` of Node does. */
  refuse(ms: number, code: string): void {
    this.#later(ms, `failure ${code}`, () => {
      this.#end();
      const cause = Object.assign(new Error(code), { code });
      this.#reject(new TypeError("fetch failed", { cause }));
    });
  }

  answer(ms: number, { status, headers }: Response, body: Awaited<ReturnType<typeof readWhole>>): void {
    this.#later(ms, `answer ${status}`, () => {
      this.#end();
      this.#resolve(wholeResponse(BODILESS.has(status) ? null : (body ?? ""), status, new Headers(headers)));
    });
  }

  #end(): void {
    this.#isOver = true;
    this.#forget();
  }

  #later(ms: number, result: string, fn: () => void): void {
    const { caller } = this;
    if (!caller.isAlive || caller.life !== this.#life) return;
    const from = this.server === "" ? "" : ` from ${this.server}`;
    this.#world.plan(ms, caller, `${result} ${this.label}${from}`, fn);
  }
}
