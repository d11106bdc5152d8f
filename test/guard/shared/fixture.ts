import { randomBytes } from "node:crypto";
import type { TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import type { AuthorityOptions } from "../../../src/guard/authority/settings.ts";
import type { SharedStatus } from "../../../src/guard/status-types.ts";
import type { SingleIssuerOptions } from "../../../src/guard/types.ts";
import type { Guard } from "../../../src/index.ts";
import type { SharedAnswersSource } from "../../../src/stores/shared-answers.ts";
import { redisAnswers, type RedisAnswersOptions } from "../../../src/stores/redis.ts";
import { waitUntil, type RedisServer } from "../../support/redis-servers.ts";
import { makeFixture, describeDecision, type Fixture } from "../degraded/fixture.ts";

/** Guards on one virtual clock that share a real Redis. */
export interface SharedSetup extends Omit<Fixture, "guard"> {
  readonly prefix: string;
  /** Starts a guard and waits for its connection and its warm-up. */
  readonly instance: (
    options?: Partial<SingleIssuerOptions>,
    redis?: Partial<RedisAnswersOptions>,
    authority?: Partial<AuthorityOptions>,
  ) => Promise<Guard>;
  readonly source: (redis?: Partial<RedisAnswersOptions>) => SharedAnswersSource;
  /** Starts a guard without waiting for it. */
  readonly guard: Fixture["guard"];
  /** Waits until all answers of the authority are written, except `lost` of them. */
  readonly written: (lost?: number) => Promise<void>;
  /** Redis keys of all entries, without the lists. */
  readonly entries: () => Promise<string[]>;
}

export const secret = "a secret of the answers and for tests only";

export async function createSharedSetup(t: TestContext, server: RedisServer): Promise<SharedSetup> {
  const world = await makeFixture(t);
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
      await waitUntil(all, "the writes in the background");
    },
    async entries() {
      const reply = (await server.cli("KEYS", `${prefix}{answer:*`)) ?? "";
      return reply.split("\r\n").filter((line) => line.startsWith(prefix));
    },
  };
}

/** Advances the virtual clock at the speed of real time until the promise settles, because a real Redis answers in real time. */
export async function runUntilSettled<T>({ clock }: Pick<Fixture, "clock">, promise: Promise<T>): Promise<T> {
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
  return verdict.status === "valid"
    ? `${describeDecision(verdict)} from ${verdict.from}`
    : describeDecision(verdict);
}

export function sharedStatus(guard: Guard): SharedStatus {
  const { shared } = guard.status();
  if (shared === null) throw new Error("the guard has no shared cache");
  return shared;
}
