import { isHoldfastError } from "../../core/errors.ts";

/** Matches the codes of SQLite, of Redis and of system calls in a message. */
const CODE =
  /\b(?:SQLITE_[A-Z0-9]+|OOM|READONLY|NOREPLICAS|MISCONF|WRONGPASS|NOAUTH|NOPERM|LOADING|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|E[A-Z]{4,})\b/;

/** Matches the message of a write that too few replicas of Redis have confirmed. */
const FEW_REPLICAS = /\breached \d+ of \d+ replicas?\b/;

/**
 * Returns the code that names the cause of a store's failure. The server, SQLite or the system gave it. Otherwise it is
 * the code of the `HoldfastError`. `description` is left out, because a path may look like a code.
 */
export function readFailureReason(error: unknown, description: string): string {
  const message = error instanceof Error ? error.message.replaceAll(description, "") : "";
  const code = isHoldfastError(error) ? error.code : "failed";
  // A more special code of the library says more than what the store answered.
  if (code !== "store_unavailable" && code !== "timeout" && code !== "failed") return code;
  return CODE.exec(message)?.[0] ?? (FEW_REPLICAS.test(message) ? "NOREPLICAS" : code);
}
