import { SingleFlight } from "../../resilience/single-flight.ts";
import { TtlCache } from "../../resilience/ttl-cache.ts";
import type { IssuerBase } from "../issuer-base.ts";

/** Memory for about 8,000 ends. */
const MAX_BYTES = 1024 * 1024;
const BYTES_PER_END = 128;

/**
 * Performs the ends and revocations that a client asks for with a token it holds. A spent or expired token can be
 * presented any number of times, so each of them writes once (law 6). A failed write is not remembered, and the client
 * can repeat it (law 12).
 */
export class PresentedEnds {
  readonly #acceptance: IssuerBase["acceptance"];
  readonly #clock: IssuerBase["clock"];
  readonly #running = new SingleFlight<string, void>();
  readonly #done: TtlCache<true>;

  constructor({ acceptance, clock }: Pick<IssuerBase, "acceptance" | "clock">) {
    this.#acceptance = acceptance;
    this.#clock = clock;
    this.#done = new TtlCache({ maxBytes: MAX_BYTES, clock });
  }

  /**
   * Calls `write` unless the store has what it would write. Callers at the same time share one call. `read` resolves with
   * `absent` when the store cannot tell. Then a write here within the life of an access token is remembered.
   */
  async once(
    name: string,
    read: () => Promise<"written" | "unwritten" | "absent">,
    write: () => Promise<void>,
  ): Promise<void> {
    await this.#running.run(name, async () => {
      const state = await read();
      if (state === "written" || (state === "absent" && this.#done.get(name) !== undefined)) return;
      await write();
      const now = this.#clock.now();
      const ttlMs = (await this.#acceptance.endsAt(now)) - now;
      this.#done.set(name, true, { ttlMs, bytes: BYTES_PER_END });
    });
  }
}
