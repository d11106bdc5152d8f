export { createAuthClient } from "./create-auth-client.ts";
export { Ended, LoginRefused, Unavailable } from "./errors.ts";
export type {
  AccessTokenOptions,
  AuthClient,
  AuthClientOptions,
  AuthRecord,
  AuthState,
  AuthStorage,
  ClientClock,
  OutCause,
  PendingLogout,
  SessionInfo,
  TokenAnswer,
  Trouble,
  TroubleCause,
} from "./types.ts";
