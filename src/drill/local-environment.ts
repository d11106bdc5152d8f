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
/** How long a flapping provider is down, and how long it is up. */
const DOWN_MS = 500;
const UP_MS = 700;

/** A provider and an API in child processes, and a mint of tokens with the provider's key. */
export class LocalEnvironment implements Environment {
  readonly isLocal = true;
  readonly #mint: Mint;
  readonly #connections: number;
  readonly #knownTokens: { readonly token: string; readonly id: string }[];
  readonly #clientSecret: string = randomBytes(24).toString("base64url");
  /** The ids of revoked tokens, which the provider gets again at each start. */
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

  /** Starts both processes. The API accepts `connections` WebSocket connections. */
  static async start(connections: number): Promise<LocalEnvironment> {
    const mint = await createMint({ issuer: ISSUER, audience: AUDIENCE, lifetimeMs: TOKEN_LIFE_MS });
    const environment = new LocalEnvironment(mint, connections);
    try {
      await environment.#startProvider();
      await environment.#startApi();
      return environment;
    } catch (error) {
      await environment.close();
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

  async setAuthority(state: AuthorityState, onRevoke: (token: string) => void): Promise<RevokedToken | null> {
    await this.#restoreProvider();
    if (state === "down") {
      await this.#killProvider();
      return await this.#revoke("log", onRevoke);
    }
    if (state === "frozen") {
      const revoked = await this.#revoke("provider", onRevoke);
      // When the drill is killed, the API resumes the provider, which then ends without its parent.
      await this.#api?.call({ resumeAtExit: this.#provider?.pid ?? 0 } satisfies ResumeAtExit);
      this.#provider?.signal("SIGSTOP");
      return revoked;
    }
    if (state === "flapping") this.#startFlapping();
    if (state === "slow") {
      await this.#provider?.call({ slow: true } satisfies ProviderMessage);
      // A new guard measures a slow authority from the start. A running one would see it become slow in one step.
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

  /** Revokes a token that was in use before. */
  async #revoke(by: RevokedToken["by"], onRevoke: (token: string) => void): Promise<RevokedToken> {
    const { token, id } = this.#knownTokens.shift() ?? this.#mintToken();
    onRevoke(token);
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
    const { child, answer } = await DrillProcess.start("provider-process", config);
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
    const { child, answer } = await DrillProcess.start("api-process", config);
    this.#api = child;
    this.#url = (answer as ApiReady).url;
  }
}
