import { HoldfastError, isHoldfastError } from "../../core/errors.ts";
import { readFailureReason } from "../health/failure-reason.ts";

const CREDENTIAL_CODES = new Set(["WRONGPASS", "NOAUTH", "NOPERM"]);

/** The options of `redisStore` that its messages name, and the settings of the service that they come from. */
const OPTIONS = [
  ["redisStore: durability ", "HOLDFAST_REDIS_DURABILITY "],
  ["redisStore: replicas: ", "HOLDFAST_REDIS_REPLICAS: "],
] as const;

/**
 * Adds to an error of opening the store which setting the operator can check. An error about an option of `redisStore`
 * names the setting in its place. Returns other errors unchanged.
 */
export function nameRedisSettings(error: unknown): unknown {
  if (isHoldfastError(error, "invalid_option")) {
    const renamed = OPTIONS.reduce((text, [option, setting]) => text.replace(option, setting), error.message);
    return renamed === error.message ? error : new HoldfastError(error.code, renamed, { cause: error });
  }
  if (!isHoldfastError(error, "store_unavailable")) return error;
  const { code, message, retryAfterMs } = error;
  return new HoldfastError(code, `${message}. ${chooseAdvice(error)}`, { cause: error, retryAfterMs });
}

function chooseAdvice(error: HoldfastError): string {
  const settings = CREDENTIAL_CODES.has(readFailureReason(error, ""))
    ? "Check the user and the password in REDIS_URL, or HOLDFAST_REDIS_PASSWORD_FILE and those of the Sentinels"
    : "Check that Redis runs at the address in REDIS_URL, and the network and firewall before it";
  return `${settings}; "holdfast doctor" finds the cause`;
}
