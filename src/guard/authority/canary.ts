import { withDeadline } from "../../resilience/deadline.ts";
import { describe, report } from "../report.ts";
import type { AuthorityAnswer, AuthorityContext } from "./authority.ts";
import type { AuthoritySettings } from "./settings.ts";

export interface ProbeToken {
  readonly token: string;
  /** What a sound authority says of it. */
  readonly expected: AuthorityAnswer["status"];
}

/** Tokens that the answer is known for: whoever cannot tell that answers nothing else rightly either. */
export class Canary {
  readonly #settings: AuthoritySettings;
  readonly #context: AuthorityContext;
  #broken = false;

  constructor(settings: AuthoritySettings, context: AuthorityContext) {
    this.#settings = settings;
    this.#context = context;
  }

  /** A good one where the guard was given any, else a made-up one. Never rejects: an own fault is not the authority's. */
  async next(signal: AbortSignal): Promise<ProbeToken> {
    const { canary, timeoutMs } = this.#settings;
    if (canary === undefined) return this.#madeUp();
    try {
      const get = async () => await canary();
      const token = await withDeadline(this.#context.clock, "the canary", timeoutMs, get, signal);
      if (typeof token !== "string" || token === "") throw new TypeError("no token");
      this.#broken = false;
      return { token, expected: "yes" };
    } catch (error) {
      if (!this.#broken && !signal.aborted) {
        report(
          this.#context,
          "authority_misconfigured",
          `canary: ${describe(error)}; a made-up token is used`,
        );
      }
      this.#broken = true;
      return this.#madeUp();
    }
  }

  #madeUp(): ProbeToken {
    const digits = Array.from({ length: 24 }, () => Math.floor(this.#context.random() * 32).toString(32));
    return { token: `holdfast-probe-${digits.join("")}`, expected: "no" };
  }
}
