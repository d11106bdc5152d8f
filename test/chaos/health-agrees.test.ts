import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test, type TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import type { HealthStatus, ServiceHealth } from "../../src/server/health/service-health.ts";
import { createProvider, type Provider } from "../../src/testing/index.ts";
import { startApplication } from "../gateway/application.ts";
import { isMissing, startProxy } from "../gateway/proxies.ts";
import { temporaryDataDir } from "../server/temporary-settings.ts";
import { login, post, refresh, type Tokens } from "../support/auth-calls.ts";
import { noRedis, RedisServer } from "../support/redis-servers.ts";
import { startService } from "../support/service-process.ts";

/*
 * A real service behind a real nginx, and a steady mix of requests. Each round asks for everything that users ask for,
 * then for the health. Health may be late by two rounds.
 */

const ALLOWED_LAG = 2;
const FAULT_ROUNDS = 5;
const MOST_ROUNDS = 30;
const audience = "https://api.example";
const kinds = ["login", "refresh", "ownTokens", "providerTokens"] as const;
type Kind = (typeof kinds)[number];

interface Site {
  readonly url: string;
  readonly admin: string;
  readonly proxy: string;
  readonly provider: Provider;
  tokens: Tokens;
}

interface Round {
  readonly users: Readonly<Record<Kind, boolean>>;
  readonly health: Readonly<Record<Kind, HealthStatus>>;
  readonly status: HealthStatus;
  readonly ready: number;
}

async function startSite(
  t: TestContext,
  dataDir: string,
  settings: Record<string, string> = {},
): Promise<Site> {
  const provider = await createProvider({ audience });
  await provider.listen();
  t.after(async () => await provider.close());
  const service = await startService(dataDir, {
    HOLDFAST_AUDIENCE: audience,
    HOLDFAST_LOG_LEVEL: "fatal",
    HOLDFAST_PROVIDER_ISSUER: provider.issuer,
    HOLDFAST_AUTHORITY_URL: provider.url("introspection"),
    HOLDFAST_AUTHORITY_CLIENT: `${provider.clientId}:${provider.clientSecret}`,
    ...settings,
  });
  t.after(async () => await service.stop("SIGKILL"));
  const application = await startApplication();
  t.after(async () => await application.stop());
  const proxy = await startProxy("nginx", Number(new URL(service.url).port), application.port);
  t.after(async () => await proxy.stop());
  const tokens = await login(service.url);
  return { ...service, proxy: `http://127.0.0.1:${proxy.port}`, provider, tokens };
}

async function passes(work: () => Promise<Response>): Promise<boolean> {
  try {
    const response = await work();
    await response.arrayBuffer();
    return response.status === 200;
  } catch {
    return false;
  }
}

async function passesProxy({ proxy }: Site, token: string): Promise<boolean> {
  const headers = { authorization: `Bearer ${token}` };
  return await passes(async () => await fetch(`${proxy}/`, { headers, signal: AbortSignal.timeout(8000) }));
}

async function runRound(site: Site, count: number): Promise<Round> {
  const { url, admin, provider } = site;
  const refreshSession = async () => {
    const response = await refresh(url, site.tokens.refresh_token);
    if (response.status === 200) site.tokens = (await response.clone().json()) as Tokens;
    return response;
  };
  const credentials = { username: "alice", password: "correct horse battery" };
  const { access_token: own } = site.tokens;
  const [loggedIn, refreshed, ownTokens, providerTokens] = await Promise.all([
    passes(async () => await post(url, "/auth/login", credentials)),
    passes(refreshSession),
    passesProxy(site, own),
    passesProxy(site, provider.token({ jti: `round-${count}` })),
  ]);
  const health = (await (await fetch(`${admin}/health`)).json()) as ServiceHealth;
  const { status: ready } = await fetch(`${url}/health/ready`);
  const told = Object.entries(health.outcomes).map(([kind, { status }]) => [kind, status]);
  const users = { login: loggedIn, refresh: refreshed, ownTokens, providerTokens };
  return { users, health: Object.fromEntries(told) as Round["health"], status: health.status, ready };
}

/** Compares what users got with what health said, in rounds of about a second. */
class Comparison {
  readonly #site: Site;
  readonly #late = new Map<string, number>();
  #rounds = 0;

  constructor(site: Site) {
    this.#site = site;
  }

  /** Injects the fault, and repairs it after some rounds. `affected` are the kinds of requests that must have failed. */
  async during(what: string, fault: () => unknown, repair: () => unknown, affected: readonly Kind[]) {
    await this.#untilWell(`before ${what}`);
    await fault();
    const failed = new Set<Kind>();
    for (let i = 0; i < FAULT_ROUNDS; i++) {
      const { users, status } = await this.#round(what);
      for (const kind of kinds) if (!users[kind]) failed.add(kind);
      if (i > ALLOWED_LAG && failed.size > 0) assert.notEqual(status, "ok", `${what}: health is ok`);
    }
    for (const kind of affected) assert.ok(failed.has(kind), `${what} did not affect ${kind}`);
    await repair();
    await this.#untilWell(`after ${what}`);
  }

  async #untilWell(what: string): Promise<void> {
    for (let i = 0; i < MOST_ROUNDS; i++) {
      const { users, status } = await this.#round(what);
      if (status === "ok" && kinds.every((kind) => users[kind])) return;
    }
    assert.fail(`${what}: users and health did not recover`);
  }

  async #round(what: string): Promise<Round> {
    // A round takes about a second, because health may probe the store once a second.
    const [round] = await Promise.all([runRound(this.#site, this.#rounds++), pause(900)]);
    for (const kind of kinds) {
      const { users, health } = round;
      const agrees = users[kind] ? health[kind] !== "unavailable" : health[kind] !== "ok";
      this.#count(`${what}: ${kind} passed: ${users[kind]}, health says ${health[kind]}`, kind, agrees);
    }
    const anything = kinds.some((kind) => round.users[kind]);
    this.#count(`${what}: ready is ${round.ready}`, "ready", round.ready === 200 || !anything);
    return round;
  }

  #count(message: string, kind: string, agrees: boolean): void {
    const late = agrees ? 0 : (this.#late.get(kind) ?? 0) + 1;
    this.#late.set(kind, late);
    assert.ok(late <= ALLOWED_LAG, `${message}, for ${late} rounds`);
  }
}

const issuing = ["login", "refresh"] as const;

test(
  "law 10: health agrees with users while SQLite is locked or the provider fails",
  {
    skip: isMissing("nginx"),
  },
  async (t) => {
    const dataDir = await temporaryDataDir();
    const site = await startSite(t, dataDir);
    const { provider } = site;
    const comparison = new Comparison(site);
    const other = new DatabaseSync(join(dataDir, "holdfast.db"));
    t.after(() => other.close());
    const begin = () => other.exec("PRAGMA busy_timeout = 5000; BEGIN IMMEDIATE");
    await comparison.during("a locked file", begin, () => other.exec("ROLLBACK"), issuing);
    const restore = () => provider.restore("all");
    const keysDown = async () => {
      provider.fault("jwks", { status: 503 });
      await provider.rotate();
    };
    // The authority may vouch for a token whose key cannot be fetched, so users need not notice this fault.
    await comparison.during("new keys that cannot be fetched", keysDown, restore, []);
    const hang = () => provider.fault("introspection", { hang: true });
    await comparison.during("an authority that hangs", hang, restore, ["providerTokens"]);
    const refuse = () => provider.fault("introspection", { status: 401 });
    await comparison.during("an authority that refuses the guard", refuse, restore, ["providerTokens"]);
  },
);

test(
  "law 10: health agrees with users while the disk is full",
  {
    skip: isMissing("nginx") || (process.getuid?.() !== 0 && "mounting a small disk needs root"),
  },
  async (t) => {
    const dataDir = await temporaryDataDir();
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    if (spawnSync("mount", ["-t", "tmpfs", "-o", "size=2m,mode=0700", "tmpfs", dataDir]).status !== 0)
      return t.skip("a small disk cannot be mounted here");
    t.after(() => spawnSync("umount", ["-l", dataDir]));
    const comparison = new Comparison(await startSite(t, dataDir));
    const filler = join(dataDir, "filler");
    const fill = () => {
      for (let i = 0, size = 1 << 20; size >= 512; i++) {
        try {
          writeFileSync(`${filler}${i}`, Buffer.alloc(size));
        } catch {
          size >>= 1;
        }
      }
    };
    const empty = () => spawnSync("sh", ["-c", `rm -f '${filler}'*`]);
    await comparison.during("a full disk", fill, empty, []);
  },
);

test(
  "law 10: health agrees with users while Redis is frozen, full, a replica, or down",
  {
    skip: isMissing("nginx") || noRedis,
  },
  async (t) => {
    const redis = await RedisServer.start();
    t.after(async () => await redis.stop());
    const settings = { HOLDFAST_STORE: "redis", REDIS_URL: redis.url, HOLDFAST_SECRET: "s".repeat(43) };
    const site = await startSite(t, await temporaryDataDir(), settings);
    const comparison = new Comparison(site);
    const run =
      (...command: string[]) =>
      async () =>
        await redis.cli(...command);
    await comparison.during(
      "a Redis that is full",
      run("CONFIG", "SET", "maxmemory", "1"),
      run("CONFIG", "SET", "maxmemory", "0"),
      issuing,
    );
    await comparison.during(
      "a frozen Redis",
      () => redis.freeze(),
      () => redis.thaw(),
      issuing,
    );
    const down = async () => await redis.kill();
    await comparison.during("a Redis that is down", down, async () => await redis.up(), issuing);
    await comparison.during(
      "a Redis that waits for replicas",
      run("CONFIG", "SET", "min-replicas-to-write", "1"),
      run("CONFIG", "SET", "min-replicas-to-write", "0"),
      issuing,
    );
  },
);
