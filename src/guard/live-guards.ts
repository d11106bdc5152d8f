import { emit } from "./emit.ts";

/** From this number on, guards of one name and issuer are a mistake: a guard belongs to a process, not to a request. */
const TOO_MANY = 3;

/** The number of open guards for each name and set of issuers in this process. */
const openGuards = new Map<string, number>();
/** The keys that this process was warned of. */
const warned = new Set<string>();

/**
 * Counts an open guard, and returns the function that ends the count. From the third guard of one name and issuer on it
 * emits `guards_repeated`, and warns the process once. Each guard fetches keys and keeps them for itself.
 */
export function countOpenGuard(guard: string, issuers: readonly string[]): () => void {
  const key = JSON.stringify([guard, ...issuers]);
  const count = (openGuards.get(key) ?? 0) + 1;
  openGuards.set(key, count);
  if (count >= TOO_MANY) {
    const [issuer = null] = issuers;
    const message = `${count} guards named "${guard}" are open; create one guard for the process, or close each guard`;
    emit({ guard, issuer: issuers.length === 1 ? issuer : null }, "guards_repeated", message);
    if (!warned.has(key))
      process.emitWarning(message, { type: "HoldfastWarning", code: "HOLDFAST_GUARDS_REPEATED" });
    warned.add(key);
  }
  let isOpen = true;
  return () => {
    if (!isOpen) return;
    isOpen = false;
    const left = (openGuards.get(key) ?? 1) - 1;
    if (left > 0) openGuards.set(key, left);
    else openGuards.delete(key);
  };
}
