import type { Clock } from "../../../core/clock.ts";
import { invalidOption } from "../../../core/options.ts";
import { writeAuditNote } from "../../audit-note.ts";
import type { Service } from "../../service.ts";
import { durationWords } from "../../health/words.ts";
import type { Plan } from "./plan.ts";

const DEFAULT_MS = 3_600_000;

/** Opens and closes breakers by hand for a time, and gives them back after it. */
export class BreakerAction {
  readonly #service: Service;
  readonly #clock: Clock;
  /** The functions that keep a breaker from being given back, by issuer. */
  readonly #timers = new Map<string, () => void>();

  constructor(service: Service, clock: Clock) {
    this.#service = service;
    this.#clock = clock;
  }

  plan(issuer: string, state: "open" | "closed" | "auto", forMs: number = DEFAULT_MS): Plan {
    const { guard } = this.#service;
    const asked = guard.status().issuers.filter(({ authority }) => authority !== null);
    if (!asked.some((one) => one.issuer === issuer)) {
      throw invalidOption("issuer", "one whose authority this service asks", issuer);
    }
    const time = durationWords(forMs);
    const effects = {
      open: `asks the authority of ${issuer} nothing for ${time}; degraded mode decides about its tokens`,
      closed: `asks the authority of ${issuer} for ${time}, also while it fails`,
      auto: `lets the breaker of ${issuer} decide again`,
    };
    return {
      effect: effects[state],
      run: async ({ actor = "", session }) => {
        this.#force(issuer, state, forMs);
        const detail = `${issuer}: ${state}${state === "auto" ? "" : ` for ${time}`}`;
        return { audited: await this.#note(detail, { subject: actor, session }) };
      },
    };
  }

  /** Leaves the breaker as it is, because another command has decided about it. */
  forget(issuer: string): void {
    this.#timers.get(issuer)?.();
    this.#timers.delete(issuer);
  }

  close(): void {
    for (const cancel of this.#timers.values()) cancel();
    this.#timers.clear();
  }

  #force(issuer: string, state: "open" | "closed" | "auto", forMs: number): void {
    const { guard } = this.#service;
    this.forget(issuer);
    guard.forceBreaker(state === "auto" ? null : state, issuer);
    if (state === "auto") return;
    const cancel = this.#clock.after(forMs, () => {
      this.#timers.delete(issuer);
      guard.forceBreaker(null, issuer);
      void this.#note(`${issuer}: auto, because its time is over`);
    });
    this.#timers.set(issuer, cancel);
  }

  /** The action is meant for emergencies. It is done although the store cannot keep the event. */
  async #note(detail: string, actor?: { subject: string; session: string | undefined }): Promise<boolean> {
    return await writeAuditNote(this.#service.store, "breaker_forced", detail, actor, this.#clock).then(
      () => true,
      () => false,
    );
  }
}
