import { presetNameOf } from "./guess-preset.ts";

/** Says in what two issuers differ. The text completes "the issuer is A and not B: …". */
export function describeIssuerDifference(named: string, wanted: string): string {
  if (named.replace(/\/+$/, "") === wanted.replace(/\/+$/, "")) return "they differ by a slash at the end";
  if (named.toLowerCase() === wanted.toLowerCase()) return "they differ by upper and lower case";
  if (named.replace(/^https?:/, "") === wanted.replace(/^https?:/, ""))
    return "they differ by http and https";
  if (withLoopback(named) === withLoopback(wanted)) return "they differ by two names of this machine";
  if (/[^ -~]/.test(named) && !/[^ -~]/.test(wanted)) {
    return "it has characters beyond ASCII, which can look like others";
  }
  return isOtherTenant(named, wanted) ? "another tenant of the same provider" : "they are different issuers";
}

/** The issuer with one name for this machine, which has several. */
function withLoopback(issuer: string): string {
  return issuer.replace(/^(https?:\/\/)(?:127\.0\.0\.1|\[::1\])(?=[:/]|$)/, "$1localhost");
}

/** Whether one part of the path differs and nothing else, or the host where a known provider has one host for each tenant. */
function isOtherTenant(named: string, wanted: string): boolean {
  const [a, b] = [URL.parse(named), URL.parse(wanted)];
  if (a === null || b === null || a.protocol !== b.protocol) return false;
  if (a.pathname === b.pathname) {
    const provider = hostingProvider(named, a);
    return provider !== null && provider === hostingProvider(wanted, b);
  }
  const [ofA, ofB] = [a.pathname.split("/"), b.pathname.split("/")];
  const different = ofA.filter((part, i) => part !== ofB[i]);
  return a.host === b.host && ofA.length === ofB.length && different.length === 1;
}

/**
 * The provider that alone gives out hosts such as that of this issuer. `null` for another issuer: a stranger can have a host
 * under a shared domain, and can run Keycloak.
 */
function hostingProvider(issuer: string, { hostname }: URL): string | null {
  const name = presetNameOf({ iss: issuer });
  const isOwnHost = name === "keycloak" || (name === "clerk" && !hostname.endsWith(".clerk.accounts.dev"));
  return isOwnHost ? null : name;
}
