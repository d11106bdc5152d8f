import { lookup } from "node:dns/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { HoldfastError } from "../core/errors.ts";
import { createFaultProxy, type FaultProxy, type ProxyMode } from "../testing/index.ts";
import type { AuthorityState, Environment } from "./environment.ts";

/** Between two looks at whether the service uses the proxy. */
const POLL_MS = 500;

const proxyModes: Readonly<Record<AuthorityState, ProxyMode>> = {
  up: { kind: "pass" },
  down: { kind: "refuse" },
  frozen: { kind: "black-hole" },
  flapping: { kind: "flap", upMs: 700, downMs: 500 },
  slow: { kind: "latency", ms: 150 },
};

/** By address: its name may lead to the proxy soon. */
async function resolveHostName(authority: URL): Promise<URL> {
  const name = authority.hostname.replaceAll(/^\[|\]$/g, "");
  try {
    const { address, family } = await lookup(name);
    const url = new URL(authority);
    url.hostname = family === 6 ? `[${address}]` : address;
    return url;
  } catch (error) {
    throw new HoldfastError("upstream_failed", `${name} cannot be looked up`, { cause: error });
  }
}

/** Somebody's own service, whose authority is reached through a proxy that fails. */
export class TargetEnvironment implements Environment {
  readonly isLocal = false;
  readonly webSocketUrl = null;
  readonly url: string;
  /** Where the service has to look for its authority, in words. */
  readonly authority: string;
  readonly #proxy: FaultProxy;
  readonly #knownTokens: readonly string[];
  /** Held back, so that some are new to the service in an outage. */
  readonly #unusedTokens: string[];
  #nextKnown = 0;

  private constructor(target: string, authority: URL, tokens: readonly string[], proxy: FaultProxy) {
    this.url = target;
    this.#proxy = proxy;
    const half = Math.ceil(tokens.length / 2);
    this.#knownTokens = tokens.slice(0, half);
    this.#unusedTokens = tokens.slice(half);
    const here = new URL(authority);
    here.port = String(proxy.port);
    // A certificate is for its name: that has to stay, and to lead here.
    const named = here.protocol === "https:";
    if (!named) here.hostname = "127.0.0.1";
    this.authority =
      here.href + (named ? `, and let ${here.hostname} lead to 127.0.0.1 in the hosts file` : "");
  }

  static async start(
    target: string,
    authority: string,
    tokens: readonly string[],
  ): Promise<TargetEnvironment> {
    const url = new URL(authority);
    const proxy = await createFaultProxy({ target: (await resolveHostName(url)).href });
    return new TargetEnvironment(target, url, tokens, proxy);
  }

  /** Resolves when the service lets a token in and has used the proxy; tells each time that something else is missing. */
  async ready(onMissing: (what: string) => void, signal: AbortSignal): Promise<void> {
    let told = "";
    for (;;) {
      const missing = await this.#findMissing();
      if (missing === null) return;
      if (missing !== told) onMissing(missing);
      told = missing;
      await sleep(POLL_MS, null, { signal });
    }
  }

  token(fresh: boolean): string {
    const unused = fresh ? this.#unusedTokens.shift() : undefined;
    return unused ?? this.#knownTokens[this.#nextKnown++ % this.#knownTokens.length] ?? "";
  }

  async setAuthority(weather: AuthorityState): Promise<null> {
    this.#proxy.set(proxyModes[weather]);
    return await Promise.resolve(null);
  }

  async close(): Promise<void> {
    await this.#proxy.close();
  }

  async #findMissing(): Promise<string | null> {
    try {
      const headers = { authorization: `Bearer ${this.#knownTokens[0]}` };
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
