/** The longest text of a detail, in characters. */
const MAX_LENGTH = 200;
/** The most values of a list. */
const MAX_VALUES = 10;

type DetailValue = string | number | boolean | null;

/**
 * Which claim or header parameter made a token invalid. It is for the operator of the server and must not reach a client,
 * because it shows what the guard expects. Long values are cut.
 */
export interface RefusalDetail {
  /** The issuer whose options refused the token. `null` when the token names no issuer that the guard trusts. */
  readonly issuer: string | null;
  /** A claim or its path, or the header parameters `typ` and `alg`. */
  readonly claim: string;
  /** The accepted values. Empty when any value is accepted and the token has none. */
  readonly expected: readonly DetailValue[];
  /** The value of the token. `null` when the token lacks it. */
  readonly got: DetailValue | readonly DetailValue[];
}

/** Makes a detail of bounded size. */
export function refusalDetail(
  issuer: string | null,
  claim: string,
  expected: readonly unknown[],
  got: unknown,
): RefusalDetail {
  return Object.freeze({
    issuer,
    claim: cut(claim),
    expected: cutList(expected),
    got: Array.isArray(got) ? cutList(got) : cutValue(got),
  });
}

function cutList(values: readonly unknown[]): readonly DetailValue[] {
  const shown = values.slice(0, MAX_VALUES).map(cutValue);
  return Object.freeze(values.length > MAX_VALUES ? [...shown, "…"] : shown);
}

function cutValue(value: unknown): DetailValue {
  if (typeof value === "string") return cut(value);
  if (typeof value === "number" || typeof value === "boolean") return value;
  if (value === undefined || value === null) return null;
  return Array.isArray(value) ? "an array" : "an object";
}

function cut(text: string): string {
  return text.length > MAX_LENGTH ? `${text.slice(0, MAX_LENGTH)}…` : text;
}
