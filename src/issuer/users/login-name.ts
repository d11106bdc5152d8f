import { isHoldfastError } from "../../core/errors.ts";
import type { UserRecord } from "../../stores/user-store.ts";
import type { IssuerBase } from "../issuer-base.ts";
import { isAuthenticUser } from "../store/record-macs.ts";
import { rejectIfSecretReplaced } from "../store/secret-marker.ts";

/**
 * Length of a user name before normalization, in UTF-16 code units: 128 characters as a keyboard decomposes them. NFKC
 * takes time quadratic in the length of a run of combining marks, so a longer text is never normalized (law 6).
 */
const MAX_UNNORMALIZED_UNITS = 512;

const MARKER = "loginNames";
/** The marker of when all users had their login key first, epoch ms. */
const SINCE_MARKER = "loginNamesSince";

/** A process of an older version, which adds users without a login key, is replaced within this time. */
const UPGRADE_MS = 86_400_000;

type Comparing = { readonly config: Pick<IssuerBase["config"], "loginNames"> };

/**
 * The normal form of a user name, in the spelling that was given. `null` unless it has 1 to 128 characters, none of them
 * a control character. Outer blanks are removed, or refused when names are compared exactly.
 */
export function normalizeUsername({ config }: Comparing, username: string): string | null {
  if (username.length > MAX_UNNORMALIZED_UNITS) return null;
  const normal = username.normalize("NFKC");
  const name = normal.trim();
  if (config.loginNames === "exact" && name !== normal) return null;
  return /^[^\p{Cc}\p{Cf}\p{Cs}]{1,128}$/u.test(name) ? name : null;
}

/**
 * Whether a user may be added under this normalized name. A URL cannot have `.` or `..` as a part of its path, also not
 * percent-encoded, so nobody could administer such a user over HTTP. A user that older versions added keeps the name.
 */
export function isNewUsername(name: string): boolean {
  return name !== "." && name !== "..";
}

/** The key under which a login finds the user of this normalized name. */
export function loginKeyOf({ config }: Comparing, username: string): string {
  return config.loginNames === "exact" ? username : foldCase(username);
}

/**
 * The form in which login limits compare the names of an application: without case and outer blanks. `null` for a name
 * that is too long to be normalized.
 */
export function foldLoginName(name: string): string | null {
  return name.length > MAX_UNNORMALIZED_UNITS ? null : foldCase(name.normalize("NFKC").trim());
}

/**
 * Maps names that differ only in case to one text, as RFC 8265 §3.3 does. Upper case first unites letters that have
 * several lower-case forms (final sigma) or none of their own (sharp s). A text that is folded again stays the same.
 */
function foldCase(name: string): string {
  const fold = (text: string) => text.toLowerCase().toUpperCase().toLowerCase().normalize("NFKC");
  return fold(fold(name));
}

/**
 * Returns the user that a login name means. The exact name goes first, so that two users whose names differ only in case can
 * both log in. Both look-ups are always made, so that the time does not depend on the name. The MAC is not verified.
 */
export async function findByLoginName(ctx: IssuerBase, text: string): Promise<UserRecord | null> {
  const name = normalizeUsername(ctx, text);
  if (name === null) return null;
  const key = loginKeyOf(ctx, name);
  const { users } = ctx.store;
  const [exact, found] = await Promise.allSettled([users.get(name), users.getByLoginKey(key)]);
  if (exact.status === "rejected") throw exact.reason;
  if (exact.value?.username === name) return exact.value;
  if (found.status === "rejected") throw found.reason;
  const similar = found.value;
  // A store that returns another user than the key means was tampered with.
  return similar !== null && loginKeyOf(ctx, similar.username) === key ? similar : null;
}

/**
 * Gives each user the login key of the current comparison, unless a marker says that they have it. Users of an older
 * version have no key. A process with another `loginNames` on the same store does this again at its next start. For a
 * day each start does it again, because a process of an older version may have added users since. A record that is
 * damaged or not authentic keeps no other user from the login.
 */
export async function indexLoginNames(base: IssuerBase): Promise<void> {
  const { store, config } = base;
  const isDone = (await store.markers.read(MARKER)) === config.loginNames;
  const now = await store.now();
  if (isDone && now - Number(await store.markers.read(SINCE_MARKER)) >= UPGRADE_MS) return;
  const colliding: string[] = [];
  let isTampered = false;
  for (let after: string | undefined; ;) {
    const users = await store.users.list({ after, limit: 100 });
    for (const user of users) {
      if (!isAuthenticUser(base.secrets, user)) {
        isTampered = true;
        continue;
      }
      const loginKey = loginKeyOf(base, user.username);
      if (isDone && user.loginKey === loginKey) continue;
      if (user.loginKey !== loginKey) await setLoginKey(base, user, loginKey);
      if (!(await isFoundBy(base, loginKey, user))) colliding.push(user.username);
    }
    after = users.at(-1)?.username;
    if (after === undefined) break;
  }
  if (colliding.length > 0) {
    const names = colliding.slice(0, 10).join(", ");
    const message = `${colliding.length} users log in only under the exact spelling of their names: ${names}`;
    base.emit("login_names_collide", message);
  }
  if (isTampered && !(await isSecretMissing(base))) await base.audit("record_tampered", { detail: "user" });
  if (isDone) return;
  for (const [name, value] of [
    [SINCE_MARKER, String(now)],
    [MARKER, config.loginNames],
  ] as const) {
    const claimed = await store.markers.claim(name, value);
    if (claimed !== value) await store.markers.replace(name, claimed, value);
  }
}

/** The damaged record of a similar name may be the first one of the login key. */
async function isFoundBy(
  { store }: IssuerBase,
  loginKey: string,
  { username }: UserRecord,
): Promise<boolean> {
  try {
    return (await store.users.getByLoginKey(loginKey))?.username === username;
  } catch (error) {
    if (isHoldfastError(error, "store_corrupt")) return false;
    throw error;
  }
}

async function isSecretMissing(base: IssuerBase): Promise<boolean> {
  try {
    await rejectIfSecretReplaced(base);
    return false;
  } catch (error) {
    if (isHoldfastError(error, "store_mismatch")) return true;
    throw error;
  }
}

/** Tries again when the user was changed at the same time. A record without a valid MAC is left alone. */
async function setLoginKey(
  { store, secrets }: IssuerBase,
  user: UserRecord,
  loginKey: string,
): Promise<void> {
  let current: UserRecord | null = user;
  while (current !== null && isAuthenticUser(secrets, current)) {
    if ((await store.users.replace({ ...current, loginKey }, current.mac)) === "replaced") return;
    current = await store.users.get(user.username);
  }
}
