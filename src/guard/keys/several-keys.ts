import type { Instant } from "../../core/clock.ts";
import { invalidOption } from "../../core/options.ts";
import { invalidVerdict } from "../../core/verdict.ts";
import { asymmetricAlgorithms, type Algorithm } from "../../jwt/algorithms.ts";
import type { VerificationKey } from "../../jwt/jwk-set.ts";
import type { KeyContext, KeyLookup, KeyQuery, Keyring, KeySource, KeysStatus } from "./key-source.ts";

/** A token may be tried with a key of each source, so this bounds the cost of a forged token. */
const MAX_SOURCES = 10;

/** A key source that consists of others. */
interface SeveralKeys extends KeySource {
  readonly kind: "several";
  readonly sources: readonly KeySource[];
}

/** Makes one source of a list. `name` is the option in errors. Throws `invalid_option`. */
export function severalKeys(name: string, sources: readonly KeySource[]): SeveralKeys {
  if (sources.length === 0 || sources.length > MAX_SOURCES) {
    throw invalidOption(name, `a key source, or a list of 1 to ${MAX_SOURCES} key sources`, sources);
  }
  const identities = sources.flatMap(({ identity }) => (identity === undefined ? [] : [identity]));
  const isKnown = identities.length === sources.length;
  return {
    kind: "several",
    // The lengths keep the parts of one source apart from those of the next one.
    ...(isKnown && { identity: identities.flatMap((identity) => [identity.length, ...identity]) }),
    sources,
    open: (context) =>
      new CombinedKeyring(sources.map((source, index) => openPart(source, { ...context, part: index }))),
  };
}

export function isSeveral(source: KeySource): source is SeveralKeys {
  return source.kind === "several";
}

/**
 * Opens a source with the algorithms that fit it. A public key must never serve as an HMAC secret (RFC 8725 §3.1), so
 * a source of public keys gets no HMAC algorithm.
 */
function openPart(source: KeySource, context: KeyContext): Keyring {
  const { algorithms } = context;
  if (source.kind === "secret" || algorithms === undefined) return source.open(context);
  const fitting = algorithms.filter((algorithm) => asymmetricAlgorithms.includes(algorithm));
  if (fitting.length > 0) return source.open({ ...context, algorithms: fitting });
  throw invalidOption("algorithms", "left out, or include one for each source of keys", algorithms);
}

const notFound = new Error("the source has no key for the token");

/** The keys of several sources. A source that fails does not touch the tokens of the others. */
class CombinedKeyring implements Keyring {
  readonly algorithms: readonly Algorithm[];
  readonly #parts: readonly Keyring[];

  constructor(parts: readonly Keyring[]) {
    this.#parts = parts;
    this.algorithms = [...new Set(parts.flatMap(({ algorithms }) => algorithms))];
  }

  get version(): number {
    return this.#parts.reduce((sum, { version }) => sum + version, 0);
  }

  get epoch(): number {
    return this.#parts.reduce((sum, { epoch }) => sum + epoch, 0);
  }

  /** The keys of another source do not show that the configured name is right, so one unread source decides (law 1). */
  mayBeNamed(iss: string, host: string): boolean {
    return this.#parts.some((part) => part.mayBeNamed?.(iss, host) === true);
  }

  mayHaveOthers(kid: string | undefined, algorithm: Algorithm): boolean {
    return this.#partsFor(algorithm).some((part) => part.mayHaveOthers(kid, algorithm));
  }

  find(kid: string | undefined, algorithm: Algorithm): readonly VerificationKey[] {
    return this.#partsFor(algorithm).flatMap((part) => part.find(kid, algorithm));
  }

  mayHaveUnfetched(kid: string | undefined): boolean {
    return this.#parts.some((part) => part.mayHaveUnfetched(kid));
  }

  refreshAfterBadSignature(): void {
    for (const part of this.#parts) part.refreshAfterBadSignature();
  }

  async resolve(token: KeyQuery, tried: readonly VerificationKey[]): Promise<KeyLookup> {
    const lookups = this.#partsFor(token.algorithm).map(async (part) => await part.resolve(token, tried));
    const found = lookups.map(async (lookup) => {
      const answer = await lookup;
      if (answer.status !== "found") throw notFound;
      return answer;
    });
    try {
      // A source that does not answer must not delay the tokens of another one.
      return await Promise.any(found);
    } catch {
      const answers = await Promise.all(lookups);
      const pending = answers.find(({ status }) => status === "unavailable");
      return pending ?? invalidVerdict(tried.length > 0 ? "bad_signature" : reasonOf(answers));
    }
  }

  isInForce(key: VerificationKey, now?: Instant): boolean {
    return this.#parts.some((part) => part.isInForce(key, now));
  }

  hasVanished(key: VerificationKey, now?: Instant): boolean {
    const owner = this.#parts.find((part) => part.isInForce(key, now));
    return owner?.hasVanished(key, now) === true;
  }

  distrust(): void {
    for (const part of this.#parts) part.distrust();
  }

  status(): KeysStatus {
    const parts = this.#parts.map((part) => part.status());
    const greatest = (values: readonly (number | null)[]) =>
      values.reduce((most, value) => (value === null ? most : Math.max(most ?? value, value)), null);
    return {
      kind: "several",
      usable: parts.some(({ usable }) => usable),
      kids: [...new Set(parts.flatMap(({ kids }) => kids))],
      ageMs: greatest(parts.map(({ ageMs }) => ageMs)),
      maxStaleMs: greatest(parts.map(({ maxStaleMs }) => maxStaleMs)),
      fresh: parts.every(({ fresh }) => fresh),
      vanished: parts.flatMap(({ vanished }) => vanished),
      coolingDownMs: Math.max(...parts.map(({ coolingDownMs }) => coolingDownMs)),
      lastError: parts.find(({ lastError }) => lastError !== null)?.lastError ?? null,
    };
  }

  /** Resolves when one of the sources can verify tokens, like `usable` of the status. */
  async ready(signal: AbortSignal): Promise<void> {
    try {
      await Promise.any(this.#parts.map(async (part) => await part.ready(signal)));
    } catch (error) {
      throw error instanceof AggregateError ? error.errors[0] : error;
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#parts.map(async (part) => await part.close()));
  }

  #partsFor(algorithm: Algorithm): readonly Keyring[] {
    return this.#parts.filter(({ algorithms }) => algorithms.includes(algorithm));
  }
}

/** The key is unknown unless each source knows it under another algorithm. */
function reasonOf(answers: readonly KeyLookup[]): "wrong_algorithm" | "unknown_key" {
  const isOther = (answer: KeyLookup) => answer.status === "invalid" && answer.reason === "wrong_algorithm";
  return answers.length > 0 && answers.every(isOther) ? "wrong_algorithm" : "unknown_key";
}
