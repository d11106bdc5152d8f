import type { Clock } from "../core/clock.ts";
import { guardEvents } from "../core/event-channels.ts";
import type { RefusalDetail } from "../core/refusal-detail.ts";
import type { InvalidVerdict } from "../core/verdict.ts";
import { RecentTopics } from "./recent-topics.ts";

/** How many kinds, claims and issuers have a separate minute. Routes may have rules for any number of claims. */
const MAX_TOPICS = 50;
/**
 * How many issuers that the guard does not trust have a separate minute. One of them may be a mistake of the operator,
 * which the tokens of strangers must not hide.
 */
const MAX_FOREIGN_ISSUERS = 5;

type Kind =
  | "wrong_audience"
  | "wrong_issuer"
  | "wrong_type"
  | "wrong_claim"
  | "missing_claim"
  | "keys_failed";

/** The claims by which an ID token is known, and whose values belong to one login. */
const LOGIN_CLAIMS = /^(?:nonce|.+_hash)$/;

/**
 * Explains the mistakes of a first set-up on the console of the server: the first refusal of each kind and issuer in a
 * minute, and for `wrong_claim` and `missing_claim` the first of each claim. A response never tells why a token is
 * refused, so a developer would otherwise see only a 401. Each refusal on the console is also the event `token_refused`.
 * The option `warnings` concerns only the console, because a service without one reads the events.
 */
export class ConsoleWarnings {
  readonly #guard: string;
  readonly #isOn: boolean;
  /** A topic is a kind, and where they are known its issuer and its claim. */
  readonly #topics: RecentTopics;
  /** The topics past the bound share a minute with the others of their kind. */
  readonly #kinds: RecentTopics;
  readonly #foreignIssuers: RecentTopics;
  /** The refused tokens of foreign issuers of which no line tells yet. */
  #omitted = 0;

  constructor(guard: string, clock: Clock, isOn: boolean) {
    this.#guard = guard;
    this.#topics = new RecentTopics(clock, MAX_TOPICS);
    this.#kinds = new RecentTopics(clock, MAX_TOPICS);
    this.#foreignIssuers = new RecentTopics(clock, MAX_FOREIGN_ISSUERS);
    this.#isOn = isOn;
  }

  /** Warns when a claim or the type is at fault. A token without an audience counts as one with a wrong audience. */
  noteRefusal({ reason, detail }: InvalidVerdict): void {
    if (detail === undefined) return;
    const { claim } = detail;
    if (reason === "wrong_issuer") this.#refused(reason, detail, () => explain(detail, "issuer"));
    if (reason === "wrong_type") this.#refused(reason, detail, () => explainType(detail));
    const lacksAudience = reason === "missing_claim" && claim !== "iss" && detail.expected.length > 0;
    if (reason === "wrong_audience" || lacksAudience) {
      this.#refused("wrong_audience", detail, () => explain(detail, "audience"));
    } else if (reason === "wrong_claim") {
      this.#refused(reason, detail, () => explainClaim(detail), claim);
    } else if (reason === "missing_claim") {
      this.#refused(reason, detail, () => explainMissing(detail), claim);
    }
  }

  /** Warns that keys cannot be fetched. `message` contains no credentials. The query of `url` may, and is not shown. */
  noteKeysFailure(issuer: string | null, message: string, url?: string): void {
    const from = url === undefined ? "" : ` from ${show(url.replace(/[?#].*/s, ""))}`;
    const text = () => `cannot fetch the keys of ${show(issuer)}${from}: ${printable(message)}`;
    if (this.#isOn && this.#isDue("keys_failed", "keys_failed")) this.#print("keys_failed", text());
  }

  /** `topic` is the claim where each claim has a separate minute. */
  #refused(kind: Kind, { issuer, claim, got }: RefusalDetail, explained: () => string, topic = ""): void {
    if (!this.#isOn && !guardEvents.hasSubscribers) return;
    const isForeign = issuer === null && kind === "wrong_issuer";
    if (!(isForeign ? this.#isForeignDue(String(got)) : this.#isDue(kind, `${kind} ${issuer} ${topic}`)))
      return;
    // The text about a wrong `iss` names the issuers that the guard expects.
    const of = issuer === null || claim === "iss" ? "" : ` of ${show(issuer)}`;
    const text = `refused a token${of}: ${explained()}${isForeign ? this.#takeOmitted() : ""}`;
    if (this.#isOn) this.#print(kind, text);
    const message = `${kind}: the guard ${text}`;
    if (guardEvents.hasSubscribers) {
      guardEvents.publish({ guard: this.#guard, issuer, event: "token_refused", message });
    }
  }

  #isDue(kind: Kind, topic: string): boolean {
    const outcome = this.#topics.add(topic);
    return outcome === "added" || (outcome === "full" && this.#kinds.add(kind) === "added");
  }

  #isForeignDue(iss: string): boolean {
    const outcome = this.#foreignIssuers.add(iss);
    if (outcome === "full") this.#omitted++;
    return outcome === "added";
  }

  #takeOmitted(): string {
    const omitted = this.#omitted;
    this.#omitted = 0;
    return omitted === 0 ? "" : `; it also refused ${omitted} tokens of further issuers without a line`;
  }

  #print(kind: Kind, text: string): void {
    const end = "Holdfast says this at most once a minute; the option `warnings: false` ends it.";
    console.warn(`holdfast: ${kind}: the guard ${show(this.#guard)} ${text}. ${end}`);
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

/** The value of the token stays out of the text, because it may be personal. */
function explainClaim({ claim, expected, got }: RefusalDetail): string {
  const name = printable(claim);
  const found = got === null ? `it has no "${name}"` : `its "${name}" has another value`;
  return `${found}, and the guard expects ${listed(expected)} (option or rule claims)`;
}

/** The claim is `iss`, or one that the guard requires with any value. */
function explainMissing(detail: RefusalDetail): string {
  if (detail.claim === "iss") return explain(detail, "issuer");
  const option = detail.claim === "exp" ? "allowMissingExp" : "requiredClaims";
  return `it has no ${printable(detail.claim)}, and the guard requires it (option ${option})`;
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
