import { randomBytes, randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { createMint, type Mint } from "../../testing/index.ts";
import type { ApiAnswer, ApiConfig, Revoke, WakeAtEnd } from "./api-process.ts";
import { Child } from "./child.ts";
import type { ProviderAnswer, ProviderConfig, ProviderMessage } from "./provider-process.ts";
import type { Revoked, Weather, World } from "./world.ts";

const ISSUER = "https://id.example.com";
const AUDIENCE = "https://api.example.com";
const CLIENT_ID = "api";
const WARM_TOKENS = 50;
const TOKEN_LIFE_MS = 86_400_000;
/** A flapping provider is dead so long, and alive so long. */
const DEAD_MS = 500;
const ALIVE_MS = 700;

/** A provider and an API as processes of their own, and a mint with the provider's key. */
export class OwnWorld implements World {
  readonly isOurs = true;
  readonly #mint: Mint;
  readonly #connections: number;
  readonly #warm: { readonly token: string; readonly id: string }[];
  readonly #clientSecret: string = randomBytes(24).toString("base64url");
  /** Ids of tokens that the provider knows to be revoked, in each of its lives. */
  readonly #revoked: string[] = [];
  #next = 0;
  #port = 0;
  #provider: Child | null = null;
  #api: Child | null = null;
  #url = "";
  #endFlapping: () => Promise<void> = async () => {};

  private constructor(mint: Mint, connections: number) {
    this.#connections = connections;
    this.#mint = mint;
    this.#warm = Array.from({ length: WARM_TOKENS }, () => this.#make());
  }

  /** `connections`: how many there will be at a time. */
  static async start(connections: number): Promise<OwnWorld> {
    const mint = await createMint({ issuer: ISSUER, audience: AUDIENCE, lifetimeMs: TOKEN_LIFE_MS });
    const world = new OwnWorld(mint, connections);
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

  get liveUrl(): string {
    return this.#url.replace("http:", "ws:");
  }

  token(fresh: boolean): string {
    if (fresh) return this.#make().token;
    this.#next = (this.#next + 1) % this.#warm.length;
    return this.#warm[this.#next]?.token ?? "";
  }

  async become(weather: Weather): Promise<Revoked | null> {
    await this.#recover();
    if (weather === "down") {
      await this.#endProvider();
      return await this.#revoke("log");
    }
    if (weather === "frozen") {
      const revoked = await this.#revoke("provider");
      // Should we be killed meanwhile, it wakes, and ends as whoever has lost its parent.
      await this.#api?.ask({ wakeAtEnd: this.#provider?.pid ?? 0 } satisfies WakeAtEnd);
      this.#provider?.signal("SIGSTOP");
      return revoked;
    }
    if (weather === "flapping") this.#flap();
    if (weather === "slow") {
      await this.#provider?.ask({ slow: true } satisfies ProviderMessage);
      // A guard that finds its authority slow, and not one that sees it become so between two requests.
      await this.#api?.end();
      await this.#startApi();
    }
    return null;
  }

  async close(): Promise<void> {
    await this.#endFlapping();
    await Promise.all([this.#endProvider(), this.#api?.end()]);
  }

  async #recover(): Promise<void> {
    await this.#endFlapping();
    this.#provider?.signal("SIGCONT");
    if (this.#provider === null) await this.#startProvider();
  }

  #make(): { token: string; id: string } {
    const id = randomUUID();
    return { token: this.#mint.token({ jti: id }), id };
  }

  /** One that has been in use. */
  async #revoke(by: Revoked["by"]): Promise<Revoked> {
    const { token, id } = this.#warm.shift() ?? this.#make();
    this.#revoked.push(id);
    if (by === "provider") await this.#provider?.ask({ revoke: id } satisfies ProviderMessage);
    else await this.#api?.ask({ revoke: id, until: Date.now() + TOKEN_LIFE_MS } satisfies Revoke);
    return { token, by, at: performance.now() };
  }

  #flap(): void {
    const stop = new AbortController();
    const flapping = (async () => {
      while (!stop.signal.aborted) {
        await this.#endProvider();
        await sleep(DEAD_MS, null, stop).catch(() => {});
        await this.#startProvider();
        await sleep(ALIVE_MS, null, stop).catch(() => {});
      }
    })();
    this.#endFlapping = async () => {
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
    const { child, answer } = await Child.start("./provider-process", config);
    this.#provider = child;
    this.#port = (answer as ProviderAnswer).port;
  }

  async #endProvider(): Promise<void> {
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
    const { child, answer } = await Child.start("./api-process", config);
    this.#api = child;
    this.#url = (answer as ApiAnswer).url;
  }
}
