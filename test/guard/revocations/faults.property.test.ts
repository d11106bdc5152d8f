import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { RevocationEntry } from "../../../src/core/revocation.ts";
import type { Guard, RevocationFeed, Snapshots } from "../../../src/index.ts";
import { nextEntry, tailAfter, type RevocationListener } from "../../../src/stores/revocation-log.ts";
import { issuer, makeFixture, onlyIssuer, type Fixture } from "../fixture.ts";

/** A log that can lose its first entries, its last entries and its epoch. Revocations in force outlive their entries. */
class ModelLog {
  epoch = 0;
  stream: RevocationEntry[] = [];
  inForce: RevocationEntry[] = [];

  append(id: string, at: number): RevocationEntry {
    const revocation = { kind: "session", id, issuer, until: at + 1e9 } as const;
    const entry = nextEntry(this.stream.at(-1) ?? null, at, revocation);
    this.stream.push(entry);
    this.inForce.push(entry);
    return entry;
  }

  /** Removes the oldest entries. The newest one stays, because it marks the end of the log. */
  trim(count: number): void {
    this.stream.splice(0, Math.min(count, this.stream.length - 1));
  }

  loseTail(count: number): string[] {
    const lost = new Set(this.stream.splice(Math.max(1, this.stream.length - count)));
    this.inForce = this.inForce.filter((entry) => !lost.has(entry));
    return [...lost].map(({ revocation }) => revocation.id);
  }

  snapshot() {
    const { seq, chain } = this.stream.at(-1) ?? { seq: 0, chain: "" };
    return { position: { epoch: String(this.epoch), seq, chain }, entries: [...this.inForce] };
  }

  after(position: Parameters<RevocationFeed["after"]>[0]) {
    const from = this.stream.filter(({ seq }) => seq >= position.seq);
    return tailAfter(position, String(this.epoch), from);
  }
}

type Step =
  | { readonly do: "append"; readonly delivered: "at once" | "late" | "twice" | "never" }
  | { readonly do: "release" | "changeEpoch" | "cut" | "mend" }
  | { readonly do: "trim" | "loseTail"; readonly count: number }
  | { readonly do: "wait"; readonly ms: number }
  | { readonly do: "restart"; readonly how: "close" | "kill" | "lose the disk" };

const steps: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant("append"),
      delivered: fc.constantFrom("at once", "late", "twice", "never"),
    }),
  },
  { weight: 8, arbitrary: fc.constant({ do: "release" } as const) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant("wait"), ms: fc.constantFrom(1, 250, 1_000, 6_000) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("trim"), count: fc.nat(5) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("loseTail"), count: fc.nat(3) }) },
  { weight: 1, arbitrary: fc.constant({ do: "changeEpoch" } as const) },
  { weight: 1, arbitrary: fc.constantFrom({ do: "cut" } as const, { do: "mend" } as const) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("restart"),
      how: fc.constantFrom("close", "kill", "lose the disk"),
    }),
  },
);

/** Runs one guard at a time on a log and a disk that outlive it. A scheduler decides when reads and deliveries arrive. */
class Simulation {
  readonly #world: Fixture;
  readonly #scheduler: fc.Scheduler;
  readonly #log = new ModelLog();
  readonly #listeners = new Set<RevocationListener>();
  #disk = new Map<string, string>();
  #guard: Guard;
  #isCut = false;
  #faultsEnded = false;
  /** Monotonic time at which each session was revoked. Entries that the log has lost are removed. */
  readonly #appended = new Map<string, number>();
  /** Monotonic time since which the guard has refused each session. */
  readonly #refused = new Map<string, number>();
  readonly #tokens = new Map<string, string>();

  constructor(world: Fixture, scheduler: fc.Scheduler) {
    this.#world = world;
    this.#scheduler = scheduler;
    this.#guard = this.#begin();
  }

  async run(step: Step): Promise<void> {
    const { clock } = this.#world;
    if (step.do === "append") this.#append(step.delivered);
    else if (step.do === "release") {
      if (this.#scheduler.count() > 0) await this.#scheduler.waitOne();
    } else if (step.do === "wait") await clock.advance(step.ms);
    else if (step.do === "trim") this.#log.trim(step.count);
    else if (step.do === "loseTail") {
      for (const id of this.#log.loseTail(step.count)) this.#appended.delete(id);
    } else if (step.do === "changeEpoch") this.#log.epoch++;
    else if (step.do === "restart") await this.#restart(step.how);
    else this.#isCut = step.do === "cut";
    await clock.advance(0);
    await this.#check();
  }

  /** Ends all faults, waits for the deadline of a hanging read and one pause, then expects a complete view. */
  async end(): Promise<void> {
    this.#faultsEnded = true;
    await this.#world.clock.advance(5_000 + 5_000 + 250);
    await this.#check();
    const { complete, ageMs = Infinity } = onlyIssuer(this.#guard).revocations ?? {};
    assert.ok(complete === true && ageMs <= 250, `${ageMs}`);
    for (const id of this.#appended.keys()) assert.ok(await this.#isRefused(id), id);
    await this.#guard.close();
  }

  #begin(): Guard {
    const disk = this.#disk;
    const snapshots: Snapshots = {
      load: async (name) => await Promise.resolve(JSON.parse(disk.get(name) ?? "null")),
      save: async (name, value) => {
        await Promise.resolve();
        if (disk === this.#disk) disk.set(name, JSON.stringify(value));
      },
    };
    const feed: RevocationFeed = {
      snapshot: async () => await this.#answer(this.#log.snapshot()),
      after: async (position) => await this.#answer(this.#log.after(position)),
      subscribe: (listener) => {
        this.#listeners.add(listener);
        return () => void this.#listeners.delete(listener);
      },
    };
    return this.#world.guard({ revocations: feed, snapshots, maxRevocationAgeMs: Infinity });
  }

  /** Delivers the response when the scheduler decides, with the content from the time of the request. */
  async #answer<T>(answer: T): Promise<T> {
    if (this.#faultsEnded) return answer;
    if (this.#isCut) throw new Error("cut");
    return await this.#scheduler.schedule(Promise.resolve(answer));
  }

  #append(delivered: "at once" | "late" | "twice" | "never"): void {
    const at = this.#world.clock.monotonic();
    const id = `s${this.#tokens.size}`;
    this.#tokens.set(id, this.#world.mint.token({ sid: id }));
    this.#appended.set(id, at);
    const entry = this.#log.append(id, this.#world.clock.now());
    for (const listener of this.#listeners) {
      if (delivered === "at once" || delivered === "twice") listener([entry]);
      if (delivered === "late" || delivered === "twice") void this.#deliverLater(listener, entry);
    }
  }

  /** Delivers the entry when the scheduler decides, possibly after later entries. */
  async #deliverLater(listener: RevocationListener, entry: RevocationEntry): Promise<void> {
    await this.#scheduler.schedule(Promise.resolve());
    if (this.#listeners.has(listener)) listener([entry]);
  }

  async #restart(how: "close" | "kill" | "lose the disk"): Promise<void> {
    const { clock } = this.#world;
    const before = this.#guard;
    if (how === "close") await before.close();
    if (how === "lose the disk") {
      this.#disk = new Map();
      this.#refused.clear();
    }
    // A killed process writes nothing more.
    this.#disk = new Map(this.#disk);
    for (const [id, since] of this.#refused) {
      if (how === "kill" && clock.monotonic() - since <= 1_000) this.#refused.delete(id);
    }
    await before.close();
    this.#guard = this.#begin();
  }

  async #isRefused(id: string): Promise<boolean> {
    return (await this.#guard.validate(this.#tokens.get(id) ?? "")).status === "invalid";
  }

  async #check(): Promise<void> {
    const now = this.#world.clock.monotonic();
    for (const [id, token] of this.#tokens) {
      const verdict = await this.#guard.validate(token);
      if (verdict.status === "invalid") {
        if (!this.#refused.has(id)) this.#refused.set(id, now);
        continue;
      }
      assert.ok(verdict.status === "valid" && verdict.revocationAgeMs !== null);
      assert.ok(!this.#refused.has(id), `${id} was refused and is accepted again`);
      const since = this.#appended.get(id) ?? Infinity;
      assert.ok(!(since < now - verdict.revocationAgeMs), `${id} is older than the view that lacks it`);
    }
  }
}

test("law 3: under faults of the log, the feed, the disk and the process a revocation stays in force, the reported age is true, and the view recovers", async () => {
  const world = await makeFixture();
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      fc.array(steps, { minLength: 5, maxLength: 60, size: "max" }),
      async (scheduler, taken) => {
        const simulation = new Simulation(world, scheduler);
        for (const one of taken) await simulation.run(one);
        await simulation.end();
      },
    ),
    { numRuns: 300 },
  );
});
