import type { EventRecorder } from "../issuer-base.ts";

/** Tells the operator once that logins come without the address of their client. */
export class SourceAlarm {
  readonly #emit: EventRecorder["emit"];
  #isReported = false;

  constructor({ emit }: Pick<EventRecorder, "emit">) {
    this.#emit = emit;
  }

  report(): void {
    if (this.#isReported) return;
    this.#isReported = true;
    const message =
      "logins come without the address of their client, so a stranger can lock a user out: use mountIssuer, or pass source";
    this.#emit("login_source_unknown", message);
  }
}
