import { withDeadline } from "../../resilience/deadline.ts";
import { describeError, emit } from "../emit.ts";
import type { AuthorityAnswer, AuthorityContext } from "./authority.ts";
import type { AuthoritySettings } from "./settings.ts";

export interface ProbeToken {
  readonly token: string;
  /** What a sound authority says of it. */
  readonly expected: AuthorityAnswer["status"];
}

/** Tokens that the answer is known for: whoever cannot tell that answers nothing else rightly either. */
export class ProbeTokens {
  readonly #settings: AuthoritySettings;
  readonly #context: AuthorityContext;
  #isFailing = false;

  constructor(settings: AuthoritySettings, context: AuthorityContext) {
    this.#settings = settings;
    this.#context = context;
  }

  /** A good one where the guard was given any, else a made-up one. Never rejects: an own fault is not the authority's. */
  async next(signal: AbortSignal): Promise<ProbeToken> {
    const { probeToken, timeoutMs } = this.#settings;
    if (probeToken === undefined) return this.#inventToken();
    try {
      const get = async () => await probeToken();
      const token = await withDeadline(this.#context.clock, "the probe token", timeoutMs, get, signal);
      if (typeof token !== "string" || token === "") throw new TypeError("no token");
      this.#isFailing = false;
      return { token, expected: "yes" };
    } catch (error) {
      if (!this.#isFailing && !signal.aborted) {
        emit(
          this.#context,
          "authority_misconfigured",
          `probeToken: ${describeError(error)}; a made-up token is used`,
        );
      }
      this.#isFailing = true;
      return this.#inventToken();
    }
  }

  #inventToken(): ProbeToken {
    const digits = Array.from({ length: 24 }, () => Math.floor(this.#context.random() * 32).toString(32));
    return { token: `holdfast-probe-${digits.join("")}`, expected: "no" };
  }
}
