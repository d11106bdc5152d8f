import { longestSessionMs } from "../config.ts";
import type { IssuerBase } from "../issuer-base.ts";
import { changeValuesInUse, readValuesInUse, withValue, type ValueInUse } from "./values-in-use.ts";

/*
 * The store lists the fingerprint of each secret under which something was made that may still be good. A process that
 * lacks one of them cannot tell a made-up token or record from a genuine one.
 */

const MARKER = "secrets in use";

/** A process announces its secret again before this much is left of the time, so that it never runs out in between. */
const SPARE_MS = 12 * 60 * 60_000;

/**
 * Records that this process makes tokens and records under its first secret. Must resolve before the first of them.
 * `earlier` is the fingerprint of the secret of a store that an older version used, which kept no list.
 */
export async function announceSecret(base: IssuerBase, earlier?: string): Promise<void> {
  const now = await base.store.now();
  const until = now + longestSessionMs(base.config) + 2 * SPARE_MS;
  const { fingerprint } = base.secrets[0];
  await changeValuesInUse(base.store.markers, MARKER, (values) => {
    const isFirstList = values.length === 0 && earlier !== undefined && earlier !== fingerprint;
    const known = isFirstList ? [{ value: earlier, until }] : values;
    const isKnown = known.some((one) => one.value === fingerprint && one.until >= until - SPARE_MS);
    return isKnown ? known : withValue(known, { value: fingerprint, until }, now);
  });
}

/** Returns the secrets that this process lacks, and until when they matter. */
export async function findUnknownSecrets(base: IssuerBase): Promise<readonly ValueInUse[]> {
  const values = await readValuesInUse(base.store.markers, MARKER);
  const now = base.clock.now();
  return values.filter(
    ({ value, until }) => until > now && base.secrets.every(({ fingerprint }) => fingerprint !== value),
  );
}

/** Strikes every secret off the list that this process lacks. Returns how many there were. */
export async function forgetUnknownSecrets({ store, secrets }: IssuerBase): Promise<number> {
  let forgotten = 0;
  await changeValuesInUse(store.markers, MARKER, (values) => {
    const kept = values.filter(({ value }) => secrets.some(({ fingerprint }) => fingerprint === value));
    forgotten = values.length - kept.length;
    return forgotten === 0 ? values : kept;
  });
  return forgotten;
}
