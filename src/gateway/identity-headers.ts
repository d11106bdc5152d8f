/** The names of the identity headers after `x-auth-`. */
const identityName = /^x[^a-z\d]auth[^a-z\d](?:subject|scopes|session|issuer|degraded)$/i;
const SHORTEST = "x-auth-scopes".length;
const LONGEST = "x-auth-degraded".length;

/**
 * Whether the request has an identity header of a client, also an empty one. Applications that read headers as variables
 * take `_`, `.` and `-` for the same character.
 */
export function hasIdentityHeader(rawHeaders: readonly string[]): boolean {
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? "";
    if (name.length >= SHORTEST && name.length <= LONGEST && identityName.test(name)) return true;
  }
  return false;
}
