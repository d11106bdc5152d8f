/** The headers by which frameworks let a client name another method, such as X-HTTP-Method-Override. */
const overrideHeaders: ReadonlySet<string> = new Set([
  "x-http-method-override",
  "x-http-method",
  "x-method-override",
]);
const overrideLengths: ReadonlySet<number> = new Set([...overrideHeaders].map(({ length }) => length));
/** The parameter of the query that some frameworks read in the same way. */
const OVERRIDE_PARAMETER = "_method";
/** More values than any application reads. The rest cannot make the request any less ambiguous. */
const MAX_VALUES = 8;

/**
 * Returns the other methods, in capitals, that headers or query of the request name. An application that
 * honours one of them handles another request than the one that the proxy describes.
 */
export function readMethodOverrides(rawHeaders: readonly string[], target: string): readonly string[] {
  const values = readOverrideParameters(target);
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? "";
    if (!overrideLengths.has(name.length) || !isOverrideHeader(name)) continue;
    // A proxy may join two lines with a comma (RFC 9110 §5.3).
    values.push(...(rawHeaders[i + 1] ?? "").split(",", MAX_VALUES));
    if (values.length > MAX_VALUES) break;
  }
  // Nearly every request names no other method.
  if (values.length === 0) return values;
  return values.map((value) => value.trim().slice(0, 32).toUpperCase()).filter((value) => value !== "");
}

/** Servers that pass headers as variables read `_` and `-` as the same character. */
function isOverrideHeader(name: string): boolean {
  return name[0]?.toLowerCase() === "x" && overrideHeaders.has(name.toLowerCase().replaceAll("_", "-"));
}

function readOverrideParameters(target: string): string[] {
  const start = target.indexOf("?");
  // Most requests have no query, and the parser costs more than this test.
  if (start === -1 || !/_|%5f/i.test(target.slice(start))) return [];
  return new URLSearchParams(target.slice(start)).getAll(OVERRIDE_PARAMETER).slice(0, MAX_VALUES);
}
