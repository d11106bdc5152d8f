import type { AccessTokenChecker } from "./sessions/access-token-check.ts";
import type { IssuerBase } from "./issuer-base.ts";
import type { LoginLimits } from "./sessions/login-limits.ts";
import type { LongPoll } from "./revocations/long-poll.ts";
import type { PasswordHasher } from "./users/passwords.ts";
import type { SigningKeys } from "./keys/signing-keys.ts";

/** The parts of one issuer, made once by `createIssuer` and handed down. */
export interface IssuerContext extends IssuerBase {
  readonly keys: SigningKeys;
  readonly accessTokens: AccessTokenChecker;
  readonly passwords: PasswordHasher;
  readonly loginLimits: LoginLimits;
  readonly longPoll: LongPoll;
}
