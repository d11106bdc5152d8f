import { randomBytes, randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { createMint, type Mint } from "../testing/index.ts";
import type { ApiReady, ApiConfig, RevokeMessage, ResumeAtExit } from "./api-process.ts";
import { DrillProcess } from "./drill-process.ts";
import type { ProviderReady, ProviderConfig, ProviderMessage } from "./provider-process.ts";
import type { RevokedToken, AuthorityState, Environment } from "./environment.ts";

const ISSUER = "https://id.example.com";
const AUDIENCE = "https://api.example.com";
const CLIENT_ID = "api";
const WARM_TOKENS = 50;
const TOKEN_LIFE_MS = 86_400_000;
/** A flapping provider is dead so long, and alive so long. */
const DOWN_MS = 500;
const UP_MS = 700;

/** A provider and an API as processes of their own, and a mint with the provider's key. */
export class LocalEnvironment implements Environment {
  readonly isLocal = true;
  readonly #mint: Mint;
  readonly #connections: number;
  readonly #knownTokens: { readonly token: string; readonly id: string }[];
  readonly #clientSecret: string = randomBytes(24).toString("base64url");
  /** Ids of tokens that the provider knows to be revoked, in each of its lives. */
  readonly #revoked: string[] = [];
  #nextKnown = 0;
  #port = 0;
  #provider: DrillProcess | null = null;
  #api: DrillProcess | null = null;
  #url = "";
  #stopFlapping: () => Promise<void> = async () => {};

  private constructor(mint: Mint, connections: number) {
    this.#connections = connections;
    this.#mint = mint;
    this.#knownTokens = Array.from({ length: WARM_TOKENS }, () => this.#mintToken());
  }

  /** `connections`: how many there will be at a time. */
  static async start(connections: number): Promise<LocalEnvironment> {
    const mint = await createMint({ issuer: ISSUER, audience: AUDIENCE, lifetimeMs: TOKEN_LIFE_MS });
    const world = new LocalEnvironment(mint, connections);
    try {
      await world.#startProvider();
      await world.#startApi();
      return world;
    } catch (error) {
      await world.close();
      throw error;
    }
  }

  get url(): string {
    return this.#url;
  }

  get webSocketUrl(): string {
    return this.#url.replace("http:", "ws:");
  }

  token(fresh: boolean): string {
    if (fresh) return this.#mintToken().token;
    this.#nextKnown = (this.#nextKnown + 1) % this.#knownTokens.length;
    return this.#knownTokens[this.#nextKnown]?.token ?? "";
  }

  async setAuthority(weather: AuthorityState): Promise<RevokedToken | null> {
    await this.#restoreProvider();
    if (weather === "down") {
      await this.#killProvider();
      return await this.#revoke("log");
    }
    if (weather === "frozen") {
      const revoked = await this.#revoke("provider");
      // Should we be killed meanwhile, it wakes, and ends as whoever has lost its parent.
      await this.#api?.call({ resumeAtExit: this.#provider?.pid ?? 0 } satisfies ResumeAtExit);
      this.#provider?.signal("SIGSTOP");
      return revoked;
    }
    if (weather === "flapping") this.#startFlapping();
    if (weather === "slow") {
      await this.#provider?.call({ slow: true } satisfies ProviderMessage);
      // A guard that finds its authority slow, and not one that sees it become so between two requests.
      await this.#api?.end();
      await this.#startApi();
    }
    return null;
  }

  async close(): Promise<void> {
    await this.#stopFlapping();
    await Promise.all([this.#killProvider(), this.#api?.end()]);
  }

  async #restoreProvider(): Promise<void> {
    await this.#stopFlapping();
    this.#provider?.signal("SIGCONT");
    if (this.#provider === null) await this.#startProvider();
  }

  #mintToken(): { token: string; id: string } {
    const id = randomUUID();
    return { token: this.#mint.token({ jti: id }), id };
  }

  /** One that has been in use. */
  async #revoke(by: RevokedToken["by"]): Promise<RevokedToken> {
    const { token, id } = this.#knownTokens.shift() ?? this.#mintToken();
    this.#revoked.push(id);
    if (by === "provider") await this.#provider?.call({ revoke: id } satisfies ProviderMessage);
    else await this.#api?.call({ revoke: id, until: Date.now() + TOKEN_LIFE_MS } satisfies RevokeMessage);
    return { token, by, at: performance.now() };
  }

  #startFlapping(): void {
    const stop = new AbortController();
    const flapping = (async () => {
      while (!stop.signal.aborted) {
        await this.#killProvider();
        await sleep(DOWN_MS, null, stop).catch(() => {});
        await this.#startProvider();
        await sleep(UP_MS, null, stop).catch(() => {});
      }
    })();
    this.#stopFlapping = async () => {
      stop.abort();
      await flapping;
    };
  }

  async #startProvider(): Promise<void> {
    const config: ProviderConfig = {
      issuer: ISSUER,
      audience: AUDIENCE,
      key: this.#mint.privateJwk ?? {},
      clientId: CLIENT_ID,
      clientSecret: this.#clientSecret,
      port: this.#port,
      revoked: this.#revoked,
    };
    const { child, answer } = await DrillProcess.start("./provider-process", config);
    this.#provider = child;
    this.#port = (answer as ProviderReady).port;
  }

  async #killProvider(): Promise<void> {
    await this.#provider?.end();
    this.#provider = null;
  }

  async #startApi(): Promise<void> {
    const config: ApiConfig = {
      issuer: ISSUER,
      audience: AUDIENCE,
      provider: `http://127.0.0.1:${this.#port}`,
      clientId: CLIENT_ID,
      clientSecret: this.#clientSecret,
      connections: this.#connections,
    };
    const { child, answer } = await DrillProcess.start("./api-process", config);
    this.#api = child;
    this.#url = (answer as ApiReady).url;
  }
}
