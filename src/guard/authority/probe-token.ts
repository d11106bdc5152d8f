import { HoldfastError } from "../../core/errors.ts";
import { withDeadline } from "../../resilience/deadline.ts";
import { describeError, emit } from "../emit.ts";
import { makeFailure, type AuthorityFailure, type AuthorityReply } from "./authority-request.ts";
import type { AuthorityAnswer, AuthorityContext } from "./authority.ts";
import type { AuthoritySettings } from "./settings.ts";

export interface ProbeToken {
  readonly token: string;
  /** The answer of a healthy authority. */
  readonly expected: AuthorityAnswer["status"];
}

/** Tokens with a known answer. An authority that answers them wrongly cannot be trusted with other tokens. */
export class ProbeTokens {
  readonly #settings: AuthoritySettings;
  readonly #context: AuthorityContext;
  #isFailing = false;

  constructor(settings: AuthoritySettings, context: AuthorityContext) {
    this.#settings = settings;
    this.#context = context;
  }

  /**
   * Returns a token of the `probeToken` option, or an invented one without that option. Never rejects: when the
   * function fails, the authority is not to blame, and an invented token takes its place.
   */
  async next(signal: AbortSignal): Promise<ProbeToken> {
    const { probeToken, timeoutMs } = this.#settings;
    if (probeToken === undefined) return this.#inventToken();
    try {
      const get = async () => await probeToken();
      const token = await withDeadline(this.#context.clock, "the function", timeoutMs, get, signal);
      if (typeof token !== "string" || token === "") {
        throw new HoldfastError("upstream_failed", "the function must return a non-empty string");
      }
      this.#isFailing = false;
      return { token, expected: "yes" };
    } catch (error) {
      if (!this.#isFailing && !signal.aborted) {
        emit(
          this.#context,
          "authority_misconfigured",
          `probeToken: ${describeError(error)}; the probe uses an invented token`,
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

/** A probe whose answer is wrong or unusable is a failure, because no client chose its token. */
export function checkProbeReply(
  reply: AuthorityReply,
  expected: AuthorityAnswer["status"],
): AuthorityAnswer | AuthorityFailure {
  if (reply.status === "failed" || reply.status === expected) return reply;
  return makeFailure(
    reply.status === "unusable" ? reply.reason : `the authority answered ${reply.status} to the probe token`,
  );
}
