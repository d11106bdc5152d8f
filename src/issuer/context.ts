import type { EventHook } from "./hooks/event-hook.ts";
import type { ClientAttempts } from "./endpoints/client-attempts.ts";
import type { IssuerBase } from "./issuer-base.ts";
import type { SigningKeys } from "./keys/signing-keys.ts";
import type { LongPoll } from "./revocations/long-poll.ts";
import type { AccessTokenChecker } from "./sessions/access-token-check.ts";
import type { PresentedEnds } from "./sessions/presented-ends.ts";
import type { ArrivalSigns } from "./sessions/arrival-signs.ts";
import type { LoginLimits } from "./sessions/login-limits.ts";
import type { SharedAttempts } from "./sessions/shared-attempts.ts";
import type { SourceAlarm } from "./sessions/source-alarm.ts";
import type { RollbackAlarm } from "./sessions/rollback-alarm.ts";
import type { SecretCheck } from "./store/secret-marker.ts";
import type { AuthenticateCalls } from "./users/authenticate-calls.ts";
import type { PasswordRehash } from "./users/password-rehash.ts";
import type { PasswordHasher } from "./users/passwords.ts";

/** The parts of one issuer. `createIssuer` makes them once, and every endpoint receives them. */
export interface IssuerContext extends IssuerBase {
  readonly keys: SigningKeys;
  readonly secretCheck: SecretCheck;
  readonly accessTokens: AccessTokenChecker;
  readonly arrivals: ArrivalSigns;
  readonly rollbackAlarm: RollbackAlarm;
  readonly passwords: PasswordHasher;
  readonly authenticateCalls: AuthenticateCalls;
  readonly rehash: PasswordRehash;
  readonly loginLimits: LoginLimits;
  readonly sharedAttempts: SharedAttempts;
  readonly sourceAlarm: SourceAlarm;
  readonly clientAttempts: ClientAttempts;
  readonly presentedEnds: PresentedEnds;
  readonly longPoll: LongPoll;
  readonly hook: EventHook;
  /** Throws when the client cannot keep this access token. Left out where any size will do. */
  readonly checkAccessToken?: (accessToken: string) => void;
}
