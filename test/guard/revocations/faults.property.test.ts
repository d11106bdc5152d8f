import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { RevocationEntry } from "../../../src/core/revocation.ts";
import type { Guard, RevocationFeed, Snapshots } from "../../../src/index.ts";
import { nextEntry, tailAfter, type RevocationListener } from "../../../src/stores/revocation-log.ts";
import { issuer, makeWorld, own, type World } from "../fixture.ts";

/** A log that may lose its head, its tail and its name. What is in force outlives its head. */
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

  /** The newest stays: it shows where the log ends. */
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
  | { readonly do: "append"; readonly heard: "at once" | "late" | "twice" | "never" }
  | { readonly do: "release" | "changeEpoch" | "cut" | "mend" }
  | { readonly do: "trim" | "loseTail"; readonly count: number }
  | { readonly do: "wait"; readonly ms: number }
  | { readonly do: "restart"; readonly how: "close" | "kill" | "lose the disk" };

const steps: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant("append"),
      heard: fc.constantFrom("at once", "late", "twice", "never"),
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

/** One guard at a time, on a log and a disk that outlive it; a scheduler decides when answers and news arrive. */
class Scene {
  readonly #world: World;
  readonly #scheduler: fc.Scheduler;
  readonly #log = new ModelLog();
  readonly #listeners = new Set<RevocationListener>();
  #disk = new Map<string, string>();
  #guard: Guard;
  #isCut = false;
  #isOver = false;
  /** When each entered the log, by the monotonic clock; those that the log has lost are not among them. */
  readonly #appended = new Map<string, number>();
  /** What the guard has refused, and since when. */
  readonly #refused = new Map<string, number>();
  readonly #tokens = new Map<string, string>();

  constructor(world: World, scheduler: fc.Scheduler) {
    this.#world = world;
    this.#scheduler = scheduler;
    this.#guard = this.#begin();
  }

  async take(step: Step): Promise<void> {
    const { clock } = this.#world;
    if (step.do === "append") this.#append(step.heard);
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

  /** After the last fault: a read that hangs has its deadline, then a pause, then everything is there. */
  async end(): Promise<void> {
    this.#isOver = true;
    await this.#world.clock.advance(5_000 + 5_000 + 250);
    await this.#check();
    const { complete, ageMs = Infinity } = own(this.#guard).revocations ?? {};
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

  /** As it was when it was asked for, whenever that arrives. */
  async #answer<T>(answer: T): Promise<T> {
    if (this.#isOver) return answer;
    if (this.#isCut) throw new Error("cut");
    return await this.#scheduler.schedule(Promise.resolve(answer));
  }

  #append(heard: "at once" | "late" | "twice" | "never"): void {
    const at = this.#world.clock.monotonic();
    const id = `s${this.#tokens.size}`;
    this.#tokens.set(id, this.#world.mint.token({ sid: id }));
    this.#appended.set(id, at);
    const entry = this.#log.append(id, this.#world.clock.now());
    for (const listener of this.#listeners) {
      if (heard === "at once" || heard === "twice") listener([entry]);
      if (heard === "late" || heard === "twice") void this.#tellLater(listener, entry);
    }
  }

  /** Maybe after what came later. */
  async #tellLater(listener: RevocationListener, entry: RevocationEntry): Promise<void> {
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
    // The process that was killed writes nothing more.
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
      assert.ok(!this.#refused.has(id), `${id} was refused and is not any more`);
      const since = this.#appended.get(id) ?? Infinity;
      assert.ok(!(since < now - verdict.revocationAgeMs), `${id} is older than the view that lacks it`);
    }
  }
}

test("law 3: whatever befalls the log, its feed, the disk and the process: what was refused stays so, the age of the view is true, and afterwards nothing is missing", async () => {
  const world = await makeWorld();
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      fc.array(steps, { minLength: 5, maxLength: 60, size: "max" }),
      async (scheduler, taken) => {
        const scene = new Scene(world, scheduler);
        for (const one of taken) await scene.take(one);
        await scene.end();
      },
    ),
    { numRuns: 300 },
  );
});
