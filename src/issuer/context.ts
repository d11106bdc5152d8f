import type { AccessTokens } from "./access.ts";
import type { Foundation } from "./foundation.ts";
import type { LoginLimits } from "./limits.ts";
import type { LogWatch } from "./log-watch.ts";
import type { Passwords } from "./passwords.ts";
import type { SigningKeys } from "./signing-keys.ts";

/** The parts of one issuer, made once by `createIssuer` and handed down. */
export interface Context extends Foundation {
  readonly keys: SigningKeys;
  readonly access: AccessTokens;
  readonly passwords: Passwords;
  readonly limits: LoginLimits;
  readonly watch: LogWatch;
}
