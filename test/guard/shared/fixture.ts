import { randomBytes } from "node:crypto";
import type { TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import type { AuthorityOptions } from "../../../src/guard/authority/settings.ts";
import type { SharedStatus, SingleIssuerOptions } from "../../../src/guard/types.ts";
import type { Guard } from "../../../src/index.ts";
import type { SharedAnswersSource } from "../../../src/stores/store.ts";
import { redisAnswers, type RedisAnswersOptions } from "../../../src/stores/redis.ts";
import { waitUntil, type RedisServer } from "../../support/redis-servers.ts";
import { makeWorld, short, type World } from "../degraded/fixture.ts";

/** Guards on one virtual clock, that share a real Redis. */
export interface SharedSetup extends Omit<World, "guard"> {
  readonly prefix: string;
  /** Another instance, connected and warm. */
  readonly instance: (
    options?: Partial<SingleIssuerOptions>,
    redis?: Partial<RedisAnswersOptions>,
    authority?: Partial<AuthorityOptions>,
  ) => Promise<Guard>;
  readonly source: (redis?: Partial<RedisAnswersOptions>) => SharedAnswersSource;
  /** An instance that nobody waits for. */
  readonly guard: World["guard"];
  /** Waits until every answer of the authority was written, but for so many that could not be. */
  readonly written: (lost?: number) => Promise<void>;
  /** The names of all entries there are, lists left out. */
  readonly entries: () => Promise<string[]>;
}

export const secret = "a secret of the answers and for tests only";

export async function createSharedSetup(t: TestContext, server: RedisServer): Promise<SharedSetup> {
  const world = await makeWorld(t);
  const prefix = `${randomBytes(6).toString("hex")}:`;
  const source = (redis: Partial<RedisAnswersOptions> = {}) =>
    redisAnswers({ url: server.url, prefix, secret, ...redis });
  const sets = async () =>
    Number(/cmdstat_set:calls=(\d+)/.exec((await server.cli("INFO", "commandstats")) ?? "")?.[1] ?? 0);
  const before = await sets();
  return {
    ...world,
    prefix,
    source,
    async instance(options = {}, redis = {}, authority = {}) {
      const guard = world.guard({ shared: source(redis), ...options }, authority);
      await runUntilSettled(world, guard.ready({ timeoutMs: 60_000 }));
      await waitUntil(async () => {
        if (sharedStatus(guard).lastError === null) return true;
        await world.clock.advance(20);
        return false;
      }, "a connection");
      return guard;
    },
    async written(lost = 0) {
      const all = async () => (await sets()) - before >= world.asked.length - lost;
      await waitUntil(all, "what is written without anybody waiting for it");
    },
    async entries() {
      const reply = (await server.cli("KEYS", `${prefix}{answer:*`)) ?? "";
      return reply.split("\r\n").filter((line) => line.startsWith(prefix));
    },
  };
}

/** Lets time pass until it is settled, no faster than it really does: what is real has its deadlines in virtual time. */
export async function runUntilSettled<T>({ clock }: Pick<World, "clock">, promise: Promise<T>): Promise<T> {
  const over = new AbortController();
  const watch = async () => {
    try {
      return await promise;
    } finally {
      over.abort();
    }
  };
  const watched = watch();
  while (!over.signal.aborted) {
    await clock.advance(5);
    await pause(5);
  }
  return await watched;
}

/** `valid from shared`, `invalid: revoked`, … */
export async function describeVerdict(guard: Guard, token: string): Promise<string> {
  const verdict = await guard.validate(token);
  return verdict.status === "valid" ? `${short(verdict)} from ${verdict.from}` : short(verdict);
}

export function sharedStatus(guard: Guard): SharedStatus {
  const { shared } = guard.status();
  if (shared === null) throw new Error("nothing is shared");
  return shared;
}
