import { lookup } from "node:dns/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { HoldfastError } from "../core/errors.ts";
import { createFaultProxy, type FaultProxy, type ProxyMode } from "../testing/index.ts";
import type { AuthorityState, Environment } from "./environment.ts";

/** The interval of the checks whether the service uses the proxy. */
const POLL_MS = 500;

const proxyModes: Readonly<Record<AuthorityState, ProxyMode>> = {
  up: { kind: "pass" },
  down: { kind: "refuse" },
  frozen: { kind: "black-hole" },
  flapping: { kind: "flap", upMs: 700, downMs: 500 },
  slow: { kind: "latency", ms: 150 },
};

/** Resolves the host name, because the hosts file may point the name to the proxy later. */
async function resolveHostName(authority: URL): Promise<URL> {
  const name = authority.hostname.replaceAll(/^\[|\]$/g, "");
  try {
    const { address, family } = await lookup(name);
    const url = new URL(authority);
    url.hostname = family === 6 ? `[${address}]` : address;
    return url;
  } catch (error) {
    throw new HoldfastError("upstream_failed", `${name} cannot be resolved`, { cause: error });
  }
}

/** A service of the user, which reaches its authority through a proxy that fails. */
export class TargetEnvironment implements Environment {
  readonly isLocal = false;
  readonly webSocketUrl = null;
  readonly url: string;
  /** The address that the service must use for its authority, as a text for the user. */
  readonly authority: string;
  readonly #proxy: FaultProxy;
  readonly #knownTokens: readonly string[];
  /** Tokens that are kept for the outages, so that the service has not seen them. */
  readonly #unusedTokens: string[];
  #nextKnown = 0;

  private constructor(target: string, authority: URL, tokens: readonly string[], proxy: FaultProxy) {
    this.url = target;
    this.#proxy = proxy;
    const half = Math.ceil(tokens.length / 2);
    this.#knownTokens = tokens.slice(0, half);
    this.#unusedTokens = tokens.slice(half);
    const proxied = new URL(authority);
    proxied.port = String(proxy.port);
    // A certificate is valid for the host name, so the name must stay and resolve to the proxy.
    const isTls = proxied.protocol === "https:";
    if (!isTls) proxied.hostname = "127.0.0.1";
    this.authority =
      proxied.href + (isTls ? `, and point ${proxied.hostname} to 127.0.0.1 in the hosts file` : "");
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

  /**
   * Resolves when the service accepts a token and has used the proxy. `onMissing` is called with each new reason to wait.
   */
  async ready(onMissing: (what: string) => void, signal: AbortSignal): Promise<void> {
    let reported = "";
    for (;;) {
      const missing = await this.#findMissing();
      if (missing === null) return;
      if (missing !== reported) onMissing(missing);
      reported = missing;
      await sleep(POLL_MS, null, { signal });
    }
  }

  token(fresh: boolean): string {
    const unused = fresh ? this.#unusedTokens.shift() : undefined;
    return unused ?? this.#knownTokens[this.#nextKnown++ % this.#knownTokens.length] ?? "";
  }

  async setAuthority(state: AuthorityState): Promise<null> {
    this.#proxy.set(proxyModes[state]);
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
