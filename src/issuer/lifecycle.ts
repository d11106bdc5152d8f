import { HoldfastError } from "../core/errors.ts";
import { jitter } from "../resilience/backoff.ts";
import { SingleFlight } from "../resilience/single-flight.ts";
import type { IssuerContext } from "./context.ts";
import { MAX_KEYS_AGE_MS } from "./keys/signing-keys.ts";
import { announceSecret } from "./store/secrets-in-use.ts";
import { openStore } from "./store/store-secret.ts";

const MAINTENANCE_INTERVAL_MS = 10 * 60_000;
/** Random share of an interval by which a run is moved, so that processes on one store do not run at the same time. */
const INTERVAL_JITTER = 0.2;

/** Opens the issuer before its first use, runs its background work while it is open, and closes it. */
export class IssuerLifecycle {
  readonly #ctx: IssuerContext;
  readonly #random: () => number;
  readonly #opening = new SingleFlight<"open", void>();
  #state: "new" | "open" | "closed" = "new";
  #stopMaintenance: () => void = () => {};

  constructor(ctx: IssuerContext, random: () => number) {
    this.#ctx = ctx;
    this.#random = random;
  }

  /** Opens the store and the signing keys once. A failed attempt is repeated by the next call. */
  async ready(): Promise<void> {
    if (this.#state === "new") await this.#opening.run("open", async () => await this.#open());
    if (this.#state === "closed") throw new HoldfastError("closed", "the issuer is closed");
  }

  /** The same function, called only after `ready()` has resolved. */
  afterReady<A extends unknown[], R>(work: (...args: A) => Promise<R>): (...args: A) => Promise<R> {
    return async (...args) => {
      await this.ready();
      return await work(...args);
    };
  }

  close(): void {
    this.#state = "closed";
    this.#stopMaintenance();
    this.#ctx.longPoll.close();
    this.#ctx.sharedAttempts.close();
  }

  async #open(): Promise<void> {
    await openStore(this.#ctx, this.#ctx.keys);
    await this.#ctx.secretCheck.check();
    await this.#ctx.storeTime.compare();
    // `close()` may have been called while the store was opened.
    if (this.#state === "closed") return;
    this.#state = "open";
    // Only clients introspect tokens, and the first of them should not wait for a large log.
    if (this.#ctx.config.clients.length > 0) void this.#ctx.accessTokens.revocations.warmUp();
    this.#stopMaintenance = startMaintenance(this.#ctx, this.#random);
  }
}

/** Notices key rotations of other processes, rotates keys on schedule and prunes the store. Returns a stop function. */
function startMaintenance(ctx: IssuerContext, random: () => number): () => void {
  const { clock, keys, store, secretCheck, acceptance, storeTime } = ctx;
  let stopped = false;
  const timers = new Map<number, () => void>();
  const repeat = (intervalMs: number, job: () => Promise<void>) => {
    if (stopped) return;
    const cancel = clock.after(Math.round(jitter(intervalMs, INTERVAL_JITTER, random)), () => {
      // A job fails only when the store does, and `openCheckedStore` reports that. The next run tries again.
      void job()
        .catch(() => undefined)
        .then(() => repeat(intervalMs, job));
    });
    timers.set(intervalMs, cancel);
  };
  repeat(MAX_KEYS_AGE_MS, async () => {
    await Promise.all([keys.reload(), secretCheck.check(), storeTime.compare()]);
  });
  repeat(MAINTENANCE_INTERVAL_MS, async () => {
    await keys.maintain();
    await announceSecret(ctx);
    await acceptance.announce();
    await store.prune();
  });
  return () => {
    stopped = true;
    for (const cancel of timers.values()) cancel();
  };
}
