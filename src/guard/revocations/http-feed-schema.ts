import { isRecord } from "../../core/json.ts";
import type { RevocationSnapshot, RevocationTail } from "../../stores/store.ts";

/* The responses of an issuer's `/auth/revocations`. Any other response is an error. */

export function isSnapshot(value: unknown): value is RevocationSnapshot {
  return isRecord(value) && isPosition(value["position"]) && isEntries(value["entries"]);
}

export function isTail(value: unknown): value is RevocationTail {
  if (!isRecord(value)) return false;
  return value["status"] === "gap" || (value["status"] === "ok" && isEntries(value["entries"]));
}

function isPosition(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const { epoch, seq, chain } = value;
  return typeof epoch === "string" && isCount(seq) && typeof chain === "string";
}

/** A newer issuer may add kinds. They are accepted here, and the view treats itself as incomplete. */
function isEntries(value: unknown): boolean {
  if (!Array.isArray(value)) return false;
  return value.every((entry: unknown) => {
    if (!isRecord(entry) || !isRecord(entry["revocation"])) return false;
    const { seq, chain, at, revocation } = entry;
    return isCount(seq) && typeof chain === "string" && isCount(at) && typeof revocation["kind"] === "string";
  });
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
