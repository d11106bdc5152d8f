import { setTimeout as sleep } from "node:timers/promises";
import { createFaultProxy, type FaultProxy, type ProxyMode } from "../../testing/index.ts";
import type { Weather, World } from "./world.ts";

/** Between two looks at whether the service uses the proxy. */
const LOOK_MS = 500;

const modes: Readonly<Record<Weather, ProxyMode>> = {
  up: { kind: "pass" },
  down: { kind: "refuse" },
  frozen: { kind: "black-hole" },
  flapping: { kind: "flap", upMs: 700, downMs: 500 },
  slow: { kind: "latency", ms: 150 },
};

/** Somebody's own service, whose authority is reached through a proxy that fails. */
export class TargetWorld implements World {
  readonly isOurs = false;
  readonly url: string;
  /** Where the service has to look for its authority. */
  readonly authority: string;
  readonly #proxy: FaultProxy;
  readonly #warm: readonly string[];
  /** Held back, so that some are new to the service in an outage. */
  readonly #fresh: string[];
  #next = 0;

  private constructor(target: string, authority: URL, tokens: readonly string[], proxy: FaultProxy) {
    this.url = target;
    this.#proxy = proxy;
    const half = Math.ceil(tokens.length / 2);
    this.#warm = tokens.slice(0, half);
    this.#fresh = tokens.slice(half);
    // A certificate is for its name: that has to stay, and to lead here.
    if (authority.protocol === "http:") authority.hostname = "127.0.0.1";
    authority.port = String(proxy.port);
    this.authority = authority.href;
  }

  static async start(target: string, authority: string, tokens: readonly string[]): Promise<TargetWorld> {
    const proxy = await createFaultProxy({ target: authority });
    return new TargetWorld(target, new URL(authority), tokens, proxy);
  }

  /** Resolves when the service lets a token in and has used the proxy; tells each time that something else is missing. */
  async ready(tellMissing: (what: string) => void, signal: AbortSignal): Promise<void> {
    let told = "";
    for (;;) {
      const missing = await this.#missing();
      if (missing === null) return;
      if (missing !== told) tellMissing(missing);
      told = missing;
      await sleep(LOOK_MS, null, { signal });
    }
  }

  token(fresh: boolean): string {
    const unused = fresh ? this.#fresh.shift() : undefined;
    return unused ?? this.#warm[this.#next++ % this.#warm.length] ?? "";
  }

  async become(weather: Weather): Promise<null> {
    this.#proxy.set(modes[weather]);
    return await Promise.resolve(null);
  }

  async close(): Promise<void> {
    await this.#proxy.close();
  }

  async #missing(): Promise<string | null> {
    try {
      const headers = { authorization: `Bearer ${this.#warm[0]}` };
      const answer = await fetch(this.url, {
        headers,
        redirect: "manual",
        signal: AbortSignal.timeout(10_000),
      });
      await answer.body?.cancel();
      if (!answer.ok) return `the service answers ${answer.status} to the first token`;
      return this.#proxy.connections.accepted === 0
        ? "the service has not asked its authority there yet"
        : null;
    } catch {
      return "the service does not answer";
    }
  }
}
