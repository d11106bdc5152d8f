import { afterTurn, type Clock } from "../../core/clock.ts";
import { isHoldfastError } from "../../core/errors.ts";
import { withDeadline } from "../../resilience/deadline.ts";
import type { EventRecorder } from "../issuer-base.ts";
import type { OnEvent, SessionEvent } from "./session-event.ts";

type WithoutTime<E> = E extends unknown ? Omit<E, "at"> : never;

/** The application has this long for one event. */
const HOOK_DEADLINE_MS = 10_000;
/** Events beyond this number of calls under way are dropped, so that a hook that hangs cannot fill the memory. */
const MAX_CALLS = 100;

/**
 * Calls `onEvent` of the application beside the requests. A call that throws, rejects or hangs changes nothing but the
 * event `hook_failed`.
 */
export class EventHook {
  readonly #onEvent: OnEvent | undefined;
  readonly #clock: Clock;
  readonly #emit: EventRecorder["emit"];
  #underWay = 0;
  /** Whether an event was dropped since a call ended. */
  #isDropping = false;

  constructor(onEvent: OnEvent | undefined, clock: Clock, emit: EventRecorder["emit"]) {
    this.#onEvent = onEvent;
    this.#clock = clock;
    this.#emit = emit;
  }

  /** Tells the application about an event, soon. */
  notify(event: WithoutTime<SessionEvent>): void {
    const timed = { at: this.#clock.now(), ...event };
    this.notifyLater(async () => await Promise.resolve(timed));
  }

  /** The same, for an event that takes more work to find out. `find` returns `null` when there is none. Never throws. */
  notifyLater(find: () => Promise<SessionEvent | null>): void {
    const onEvent = this.#onEvent;
    if (onEvent === undefined) return;
    if (this.#underWay >= MAX_CALLS) {
      if (!this.#isDropping)
        this.#emit("hook_failed", `onEvent is too slow: ${MAX_CALLS} calls are under way`);
      this.#isDropping = true;
      return;
    }
    this.#underWay++;
    // The response to the request must not wait for work that the application does before its first `await`.
    afterTurn(this.#clock, () => void this.#call(onEvent, find));
  }

  async #call(onEvent: OnEvent, find: () => Promise<SessionEvent | null>): Promise<void> {
    try {
      await withDeadline(this.#clock, "onEvent", HOOK_DEADLINE_MS, async (signal) => {
        const event = await find();
        if (event !== null) await onEvent(event, { signal });
      });
    } catch (error) {
      // The message of the application may contain anything, a secret included.
      const isLate = isHoldfastError(error, "timeout");
      this.#emit("hook_failed", isLate ? error.message : "onEvent failed, or its event could not be read");
    } finally {
      this.#underWay--;
      this.#isDropping = false;
    }
  }
}
