import { invalidOption, readString } from "../core/options.ts";
import { narrowScope } from "../core/scopes.ts";

/** Every access token may name all audiences, and a token has to fit into a header. */
const MAX_AUDIENCE_CHARS = 2048;

/** The audiences of an issuer, at least one. The first one is that of the issuer's own endpoints. */
export type Audiences = readonly [own: string, ...others: string[]];

/** Reads the option `audience`: one audience, or a list without duplicates. Throws `invalid_option`. */
export function readAudiences(name: string, value: unknown): Audiences {
  if (!Array.isArray(value)) return [readAudience(name, value)];
  const audiences = value.map((item: unknown, index) => readAudience(`${name}[${index}]`, item));
  const [own, ...others] = audiences;
  const isSet = new Set(audiences).size === audiences.length;
  if (own === undefined || !isSet || audiences.join("").length > MAX_AUDIENCE_CHARS) {
    const form = `one audience, or a list of different ones with at most ${MAX_AUDIENCE_CHARS} characters`;
    throw invalidOption(name, form, value);
  }
  return [own, ...others];
}

function readAudience(name: string, value: unknown): string {
  const audience = readString(name, value);
  if (audience.length <= MAX_AUDIENCE_CHARS) return audience;
  throw invalidOption(name, `a string of at most ${MAX_AUDIENCE_CHARS} characters`, value);
}

/**
 * The audiences of a token: those that the request names as `resource` (RFC 8707 §2), or all that were granted. `null`
 * when the request names another one, which is `invalid_target`.
 */
export function narrowAudience(
  granted: readonly string[],
  requested: readonly string[] | undefined,
): readonly string[] | null {
  return narrowScope(granted, requested?.length === 0 ? undefined : requested);
}

/** The value of `aud` (RFC 7519 §4.1.3): a string for one audience, as most verifiers know it. */
export function audienceClaim(audiences: readonly string[]): string | readonly string[] {
  const [first, ...others] = audiences;
  return first !== undefined && others.length === 0 ? first : audiences;
}
