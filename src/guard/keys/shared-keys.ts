import type { VerificationKey } from "../../jwt/jwk-set.ts";
import { invalidVerdict } from "../../core/verdict.ts";
import { isSeveral, severalKeys } from "./several-keys.ts";
import type { KeyContext, Keyring, KeySource } from "./key-source.ts";

/**
 * One key set for several issuers, fetched once. `owner` names it where an issuer would stand. Some providers write into
 * a key which issuer may use it; such a key verifies no token of another issuer.
 */
export function shareKeys(source: KeySource, owner: string): KeySource {
  if (isSeveral(source)) {
    return severalKeys(
      "keys",
      source.sources.map((one) => shareKeys(one, owner)),
    );
  }
  // The other kinds fetch nothing, or depend on the issuer.
  return source.kind === "jwks" ? shareFetchedKeys(source, owner) : source;
}

/**
 * The fetched keys of a shared source that are the same for every issuer. The guard opens them itself and keeps them open.
 * Otherwise the requests would be those of the first issuer that opens the source, and anyone can make up that issuer.
 * `null` without such keys.
 */
export function independentKeys(source: KeySource): KeySource | null {
  if (!isSeveral(source)) return source.kind === "jwks" ? source : null;
  const independent = source.sources.filter(({ kind }) => kind !== "discovered");
  if (!independent.some(({ kind }) => kind === "jwks")) return null;
  return independent.length === source.sources.length ? source : severalKeys("keys", independent);
}

function shareFetchedKeys(source: KeySource, owner: string): KeySource {
  let shared: Keyring | null = null;
  let users = 0;
  const release = async () => {
    if (--users === 0) await shared?.close();
  };
  return {
    ...source,
    open(context) {
      shared ??= source.open({ ...context, issuer: owner });
      users++;
      return viewKeys(shared, context, context.issuer === owner ? () => true : mayServe, release);
    },
  };
}

/** A key may name its issuer, as those of Microsoft do. A name with a placeholder stands for any tenant. */
function mayServe({ issuer }: VerificationKey, name: string): boolean {
  return issuer === undefined || issuer.includes("{") || issuer === name;
}

function viewKeys(
  shared: Keyring,
  { issuer }: KeyContext,
  serves: (key: VerificationKey, issuer: string) => boolean,
  release: () => Promise<void>,
): Keyring {
  const fitting = (keys: readonly VerificationKey[]) =>
    keys.every((key) => serves(key, issuer)) ? keys : keys.filter((key) => serves(key, issuer));
  let closing: Promise<void> | null = null;
  return {
    get algorithms() {
      return shared.algorithms;
    },
    get version() {
      return shared.version;
    },
    get epoch() {
      return shared.epoch;
    },
    mayHaveOthers: (kid, algorithm) => shared.mayHaveOthers(kid, algorithm),
    find: (kid, algorithm) => fitting(shared.find(kid, algorithm)),
    mayHaveUnfetched: (kid) => shared.mayHaveUnfetched(kid),
    refreshAfterBadSignature: () => shared.refreshAfterBadSignature(),
    async resolve(token, tried) {
      const lookup = await shared.resolve(token, tried);
      if (lookup.status !== "found") return lookup;
      const keys = fitting(lookup.keys);
      return keys.length > 0 ? { status: "found", keys } : invalidVerdict("unknown_key");
    },
    isInForce: (key, now) => shared.isInForce(key, now),
    hasVanished: (key, now) => shared.hasVanished(key, now),
    distrust: () => shared.distrust(),
    status: () => shared.status(),
    ready: async (signal) => await shared.ready(signal),
    close: async () => await (closing ??= release()),
  };
}
