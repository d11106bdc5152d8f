import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { connect as connectTcp, isIP, type Socket } from "node:net";
import { networkInterfaces } from "node:os";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { systemErrorCode } from "../../core/errors.ts";
import type { Check } from "../check.ts";
import type { DoctorContext } from "../context.ts";
import { fail, ok, skip, warn, type Finding } from "../finding.ts";
import { isReachedDirectly } from "../no-proxy.ts";
import { configuredKeysUrl } from "../provider-probe.ts";
import { readRedisCertificates } from "../redis-certificates.ts";

/** Shorter than the limit of a check, so that the report names the server that does not answer. */
const TIMEOUT_MS = 4000;
const DAY_MS = 86_400_000;
const EXPIRES_SOON_DAYS = 14;

/** The way to each server that the service asks: its name, its address, and its certificate. */
export const networkCheck: Check = {
  name: "network",
  group: "providers",
  asks: "a server of the settings",
  async run(context, outer) {
    const signal = AbortSignal.any([outer, AbortSignal.timeout(TIMEOUT_MS)]);
    const findings: Finding[] = [];
    if (context.network.acceptsAnyCertificate) {
      const detail =
        "NODE_TLS_REJECT_UNAUTHORIZED=0 accepts every certificate: others can answer for the provider";
      findings.push(fail(detail, "remove it, and name your certificate authority in NODE_EXTRA_CA_CERTS"));
    }
    const origins = await listOrigins(context);
    const checks = origins.map(async (origin) => await checkOrigin(new URL(origin), context, signal));
    findings.push(...(await Promise.all(checks)));
    const { redis } = context.settings;
    const certificates = redis === undefined ? [] : await readRedisCertificates(redis, signal);
    findings.push(...certificates.map(({ place, validTo }) => judgeCertificate(place, validTo)));
    return findings.length > 0 ? findings : [skip("no provider and no Redis with TLS is configured")];
  },
};

/** The origins of keys, metadata and authority, each once. */
async function listOrigins({ providers, settings }: DoctorContext): Promise<string[]> {
  const urls = [settings.provider?.authority?.url];
  for (const provider of providers) {
    const { keys } = provider.settings;
    const configured = configuredKeysUrl(provider.settings);
    if (configured !== null) urls.push(configured);
    else if (keys.kind === "discovered") urls.push(provider.issuer);
    urls.push(...(await provider.keys()).documents.map(({ url }) => url));
  }
  const parsed = urls.flatMap((url) => (url === undefined ? [] : (URL.parse(url) ?? [])));
  return [
    ...new Set(parsed.filter(({ protocol }) => /^https?:$/.test(protocol)).map(({ origin }) => origin)),
  ];
}

async function checkOrigin(origin: URL, { network }: DoctorContext, signal: AbortSignal): Promise<Finding> {
  if (network.usesProxy && network.proxyVariables.length > 0 && !isReachedDirectly(origin, network.noProxy)) {
    return skip(`${origin.host} is reached through the proxy, which resolves its name`);
  }
  const host = origin.hostname.replace(/^\[(.*)\]$/, "$1");
  const unresolved = await findNameProblem(host);
  if (unresolved !== null) return unresolved;
  return await checkConnection(origin, host, network.extraAuthorities, signal);
}

/** `null` when the name resolves to an address that this machine can reach. */
async function findNameProblem(host: string): Promise<Finding | null> {
  try {
    const addresses = await lookup(host, { all: true });
    const hasV4 = addresses.some(({ family }) => family === 4);
    if (hasV4 || host === "::1" || isIP(host) === 6 || hasIpv6()) return null;
    const detail = `${host} has IPv6 addresses only, and this machine has none`;
    return fail(detail, "give the machine an IPv6 address, or reach the provider through a proxy");
  } catch (error) {
    const detail = `the name ${host} does not resolve here (${systemErrorCode(error) ?? "failed"})`;
    return fail(
      detail,
      "correct the name or the resolver; behind a proxy set HTTPS_PROXY and NODE_USE_ENV_PROXY=1",
    );
  }
}

function hasIpv6(): boolean {
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return all.some(
    ({ family, internal, address }) => family === "IPv6" && !internal && !/^fe[89ab]/i.test(address),
  );
}

async function checkConnection(
  { protocol, port, host: place }: URL,
  host: string,
  extraAuthorities: string | undefined,
  signal: AbortSignal,
): Promise<Finding> {
  const isTls = protocol === "https:";
  const address = { host, port: Number(port || (isTls ? 443 : 80)) };
  const socket: Socket | TLSSocket = isTls
    ? connectTls({ ...address, ...(isIP(host) === 0 && { servername: host }) })
    : connectTcp(address);
  try {
    await once(socket, isTls ? "secureConnect" : "connect", { signal });
    return isTls
      ? judgeCertificate(place, (socket as TLSSocket).getPeerCertificate().valid_to)
      : ok(`${place} answers`);
  } catch (error) {
    if (signal.aborted)
      return fail(`${place} does not accept a connection in time`, "see whether a firewall drops it");
    return describeConnectionError(place, systemErrorCode(error) ?? "failed", extraAuthorities);
  } finally {
    socket.destroy();
  }
}

const untrustedCodes = /SELF_SIGNED|UNABLE_TO_(?:VERIFY|GET_ISSUER)|CERT_UNTRUSTED/;

function describeConnectionError(place: string, code: string, extraAuthorities: string | undefined): Finding {
  if (untrustedCodes.test(code)) {
    const has = extraAuthorities === undefined ? "" : `; NODE_EXTRA_CA_CERTS names ${extraAuthorities}`;
    const detail = `the certificate of ${place} comes from an authority that Node does not trust (${code})${has}`;
    return fail(detail, "put the certificate of that authority into a file that NODE_EXTRA_CA_CERTS names");
  }
  if (code === "CERT_HAS_EXPIRED") return fail(`the certificate of ${place} has expired`, "renew it there");
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") {
    return fail(
      `the certificate of ${place} is for another name`,
      "use the name of the certificate, or renew it",
    );
  }
  const advice =
    "see whether the server runs and whether a firewall is in between; docs/run/networks.md explains the codes";
  return fail(`${place} cannot be reached (${code})`, advice);
}

/** `validTo` is the end of a certificate, as Node formats it. */
export function judgeCertificate(place: string, validTo: string, now: number = Date.now()): Finding {
  const days = Math.floor((Date.parse(validTo) - now) / DAY_MS);
  if (days >= EXPIRES_SOON_DAYS || Number.isNaN(days))
    return ok(`${place} answers, with a certificate that is trusted`);
  return warn(`the certificate of ${place} expires in ${days} days`, "renew it there");
}
