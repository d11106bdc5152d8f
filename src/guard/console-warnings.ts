import { elapsedMs, readClock, type Clock, type Instant } from "../core/clock.ts";
import type { RefusalDetail } from "../core/refusal-detail.ts";
import type { InvalidVerdict } from "../core/verdict.ts";

const REPEAT_MS = 60_000;

type Kind = "wrong_audience" | "wrong_issuer" | "wrong_type" | "keys_failed";

/** The claims by which an ID token is known, and whose values belong to one login. */
const LOGIN_CLAIMS = /^(?:nonce|.+_hash)$/;

/**
 * Explains the mistakes of a first set-up on the console of the server: the first refusal of each kind in a minute. A
 * response never tells why a token is refused, so a developer would otherwise see only a 401.
 */
export class ConsoleWarnings {
  readonly #guard: string;
  readonly #clock: Clock;
  readonly #isOn: boolean;
  readonly #lastAt = new Map<Kind, Instant>();

  constructor(guard: string, clock: Clock, isOn: boolean) {
    this.#guard = guard;
    this.#clock = clock;
    this.#isOn = isOn;
  }

  /** Warns when the audience, the issuer or the type is wrong. A token without an audience counts as one with a wrong audience. */
  noteRefusal({ reason, detail }: InvalidVerdict): void {
    if (detail === undefined) return;
    if (reason === "wrong_issuer") this.#warn(reason, () => `refused a token: ${explain(detail, "issuer")}`);
    if (reason === "wrong_type") this.#warn(reason, () => `refused a token: ${explainType(detail)}`);
    const lacksAudience = reason === "missing_claim" && detail.claim === "aud";
    if (reason === "wrong_audience" || lacksAudience) {
      this.#warn("wrong_audience", () => `refused a token: ${explain(detail, "audience")}`);
    }
  }

  /** Warns that keys cannot be fetched. `message` contains no credentials. The query of `url` may, and is not shown. */
  noteKeysFailure(issuer: string | null, message: string, url?: string): void {
    const from = url === undefined ? "" : ` from ${show(url.replace(/[?#].*/s, ""))}`;
    this.#warn("keys_failed", () => `cannot fetch the keys of ${show(issuer)}${from}: ${printable(message)}`);
  }

  #warn(kind: Kind, text: () => string): void {
    if (!this.#isOn) return;
    const lastAt = this.#lastAt.get(kind);
    if (lastAt !== undefined && elapsedMs(this.#clock, lastAt) < REPEAT_MS) return;
    this.#lastAt.set(kind, readClock(this.#clock));
    const end = "Holdfast says this at most once a minute; the option `warnings: false` ends it.";
    console.warn(`holdfast: ${kind}: the guard ${show(this.#guard)} ${text()}. ${end}`);
  }
}

/** The usual mistake is a front end that sends the ID token of the login. */
function explainType(detail: RefusalDetail): string {
  const { claim, expected } = detail;
  const text = LOGIN_CLAIMS.test(claim)
    ? `it has "${claim}", so it is an ID token, and the guard expects ${listed(expected)} (option types)`
    : explain(detail, "types");
  return expected.includes("id") ? text : `${text}. Clients must send the access token`;
}

function explain({ claim, expected, got }: RefusalDetail, option: string): string {
  const named =
    got === null ? `it has no "${printable(claim)}"` : `its "${printable(claim)}" is ${show(got)}`;
  return `${named}, and the guard expects ${listed(expected)} (option ${option})`;
}

function listed(values: readonly unknown[]): string {
  return values.map(show).join(" or ");
}

function show(value: unknown): string {
  return printable(JSON.stringify(value));
}

/** The text without characters that could steer a terminal or forge a line of a log. */
function printable(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
