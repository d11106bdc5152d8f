import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createGuard, staticKeys, type Guard } from "../../../src/index.ts";
import type { Authority, AuthorityOutcome, AuthoritySource } from "../../../src/guard/authority/authority.ts";
import { createMint, FakeClock, type Mint } from "../../../src/testing/index.ts";
import { SharedMap } from "./shared-map.ts";
import { examples } from "../../support/examples.ts";

/*
 * Three instances, two tokens, one shared map and an attacker that writes to it, with overlapping questions and
 * answers. The authority revokes a token for good. No verdict may outlive the answer that it is based on.
 */

const issuer = "https://id.example";
const audience = "https://api.example";
const TTL_MS = 60_000;
const TOLERANCE_MS = 5_000;
const INSTANCES = 3;
const TOKENS = 2;

const instance = fc.nat(INSTANCES - 1);
const token = fc.nat(TOKENS - 1);
const often = <T>(weight: number, arbitrary: fc.Arbitrary<T>) => ({ weight, arbitrary });
const step = fc.oneof(
  often(
    8,
    fc.record({ do: fc.constant("ask" as const), instance, token, delayMs: fc.constantFrom(0, 0, 500) }),
  ),
  often(1, fc.record({ do: fc.constant("end" as const), token })),
  often(
    4,
    fc.record({ do: fc.constant("wait" as const), ms: fc.constantFrom(1, 40, 700, 11_000, 20_000, 61_000) }),
  ),
  often(1, fc.record({ do: fc.constant("slow" as const), ms: fc.constantFrom(0, 30, 200) })),
  often(2, fc.record({ do: fc.constant("cut" as const), instance, cut: fc.boolean() })),
  often(1, fc.record({ do: fc.constant("restart" as const), instance })),
  often(1, fc.record({ do: fc.constant("empty" as const) })),
  often(1, fc.record({ do: fc.constant("swap" as const) })),
  often(1, fc.record({ do: fc.constant("replay" as const), old: fc.nat(50) })),
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

/** The connection of one instance to the shared map. It can be cut. */
class Connection extends SharedMap {
  readonly #sharedMap: SharedMap;

  constructor(sharedMap: SharedMap) {
    super();
    this.#sharedMap = sharedMap;
  }

  override open(context: Parameters<SharedMap["open"]>[0]): ReturnType<SharedMap["open"]> {
    const answers = this.#sharedMap.open(context);
    const unlessCut = async <T>(work: () => Promise<T>): Promise<T> => {
      if (this.fault !== null) throw new Error("cut");
      return await work();
    };
    return {
      get: async (names) => await unlessCut(async () => await answers.get(names)),
      set: async (entries) => await unlessCut(async () => await answers.set(entries)),
      used: async (list, names) => await unlessCut(async () => await answers.used(list, names)),
      recent: async (list) => await unlessCut(async () => await answers.recent(list)),
      close: async () => await answers.close(),
    };
  }
}

class Simulation {
  readonly clock = new FakeClock();
  readonly sharedMap = new SharedMap();
  readonly connections = Array.from({ length: INSTANCES }, () => new Connection(this.sharedMap));
  readonly endedAt: number[] = Array.from({ length: TOKENS }, () => Infinity);
  /** When an instance learned that a token was revoked. */
  readonly refused = new Set<string>();
  /** Every text that was ever stored, for the replays of the attacker. */
  readonly recorded: { readonly name: string; readonly text: string; readonly endsAt: number }[] = [];
  readonly failures: unknown[] = [];
  readonly tokens: readonly string[];
  readonly #mint: Mint;
  readonly guards: Guard[];
  readonly asking: Promise<void>[] = [];
  /** Latency of the authority for each instance. */
  readonly delaysMs: number[] = Array.from({ length: INSTANCES }, () => 0);
  questions = 0;
  shared = 0;

  constructor(mint: Mint, opaque: boolean, clock: FakeClock) {
    this.clock = clock;
    this.#mint = mint;
    const jwt = (_: unknown, i: number) => mint.token({ sub: `subject-${i}` });
    this.tokens = opaque
      ? ["opaque-token-number-0", "opaque-token-number-1"]
      : Array.from({ length: TOKENS }, jwt);
    this.guards = this.connections.map((connection, number) => this.#guard(connection, number));
  }

  #guard(connection: Connection, number: number): Guard {
    const { clock } = this;
    const ask = async (asked: string): Promise<AuthorityOutcome> => {
      this.questions++;
      const index = this.tokens.indexOf(asked);
      // The answer is true at some moment of the question, not necessarily at its end.
      const isGood = clock.now() < (this.endedAt[index] ?? 0);
      const delayMs = this.delaysMs[number] ?? 0;
      if (delayMs > 0) await new Promise<void>((go) => void clock.after(delayMs, go));
      if (!isGood) return { status: "no" };
      return {
        status: "yes",
        claims: { iss: issuer, aud: audience, sub: `subject-${index}`, exp: 4_000_000_000 },
      };
    };
    const authority: Authority = {
      ask,
      askUnverified: ask,
      softTimeoutMs: 80,
      failingMs: () => null,
      status: () => ({
        kind: "introspection",
        breaker: "closed",
        failingMs: null,
        retryAfterMs: 0,
        softTimeoutMs: 80,
        inFlight: 0,
        cause: null,
        lastError: null,
      }),
      start: () => {},
      ready: async () => await Promise.resolve(),
      force: () => {},
      close: () => {},
    };
    const source: AuthoritySource = {
      kind: "introspection",
      opaque: /^opaque-/,
      identity: "one",
      open: () => authority,
    };
    const options = {
      issuer,
      audience,
      keys: staticKeys(this.#mint.jwks()),
      authority: source,
      shared: connection,
      clock,
    };
    return createGuard({
      ...options,
      memory: { ttlMs: TTL_MS },
      clockToleranceMs: TOLERANCE_MS,
      random: () => 0.5,
    });
  }

  async run(one: Step): Promise<void> {
    const { sharedMap, clock } = this;
    this.#record();
    if (one.do === "ask") {
      this.delaysMs[one.instance] = one.delayMs;
      this.asking.push(this.#validateAndRecord(one.instance, one.token));
    } else if (one.do === "end")
      this.endedAt[one.token] = Math.min(this.endedAt[one.token] ?? 0, clock.now());
    else if (one.do === "slow") sharedMap.latencyMs = one.ms;
    else if (one.do === "cut")
      (this.connections[one.instance] as Connection).fault = one.cut ? () => null : null;
    else if (one.do === "empty" || one.do === "swap") {
      // Removing a denial while an older positive answer is in flight is a rollback, which the threat model excludes.
      await this.#settle();
      if (one.do === "swap") this.#swap();
      else sharedMap.kept.clear();
    } else if (one.do === "replay") this.#replay(one.old);
    else if (one.do === "restart") {
      await this.guards[one.instance]?.close();
      this.guards[one.instance] = this.#guard(this.connections[one.instance] as Connection, one.instance);
      for (const known of this.refused) if (known.startsWith(`${one.instance} `)) this.refused.delete(known);
    }
    await clock.advance(one.do === "wait" ? one.ms : 0);
  }

  async #validateAndRecord(number: number, which: number): Promise<void> {
    try {
      await this.#ask(number, which);
    } catch (error) {
      this.failures.push(error);
    }
  }

  async #ask(number: number, which: number): Promise<void> {
    const known = `${number} ${which}`;
    const wasRefused = this.refused.has(known);
    const guard = this.guards[number] as Guard;
    const verdict = await guard.validate(this.tokens[which] ?? "");
    const now = this.clock.now();
    const endedAt = this.endedAt[which] ?? 0;
    if (verdict.status === "valid") {
      assert.equal(verdict.degraded, null);
      assert.ok(now < endedAt + TTL_MS + 1_000, `valid ${now - endedAt} ms after it ended`);
      assert.ok(!wasRefused, "this instance accepts a token that it refused");
      if (verdict.from === "shared") this.shared++;
    } else if (verdict.status === "invalid") {
      assert.ok(endedAt <= now, "a token was refused before its revocation");
      if (guard === this.guards[number]) this.refused.add(known);
    } else assert.equal(verdict.cause, "closed");
  }

  #record(): void {
    for (const [name, entry] of this.sharedMap.kept) this.recorded.push({ name, ...entry });
  }

  /** Swaps two entries. An entry that returns to its own name is a rollback: see `#replay`. */
  #swap(): void {
    this.#record();
    const [one, other] = [...this.sharedMap.kept.keys()];
    const [first, second] = [...this.sharedMap.kept.values()];
    if (one === undefined || other === undefined || first === undefined || second === undefined) return;
    this.#misplace(one, second);
    this.#misplace(other, first);
  }

  #misplace(name: string, entry: { readonly text: string; readonly endsAt: number }): void {
    const written = this.recorded.find(({ text }) => text === entry.text);
    if (written?.name === name) this.sharedMap.kept.delete(name);
    else this.sharedMap.kept.set(name, entry);
  }

  /** Puts expired entries back. Putting back an entry that has not expired is a rollback, which the threat model excludes. */
  #replay(old: number): void {
    const over = this.recorded.filter(({ endsAt }) => endsAt <= this.clock.now());
    const entry = over[old % Math.max(1, over.length)];
    if (entry !== undefined) this.sharedMap.kept.set(entry.name, { text: entry.text, endsAt: Infinity });
  }

  async #settle(): Promise<void> {
    await this.clock.advance(2_000);
    await Promise.all(this.asking);
  }

  async end(): Promise<void> {
    await this.#settle();
    for (const guard of this.guards) await guard.close();
    if (this.failures.length > 0) throw this.failures[0];
  }
}

for (const opaque of [false, true]) {
  const what = opaque ? "opaque" : "signed";
  test(`law 1, law 3: under any interleaving of questions about ${what} tokens, failures and forgeries no answer counts too long`, async () => {
    const mint = await createMint({ issuer, audience, lifetimeMs: 24 * 3_600_000, clock: new FakeClock() });
    let shared = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
        const simulation = new Simulation(mint, opaque, new FakeClock());
        for (const one of steps) await simulation.run(one);
        await simulation.end();
        shared += simulation.shared;
      }),
      { numRuns: examples(1_000) },
    );
    assert.ok(shared > 50, `only ${shared} verdicts were shared`);
  });
}
