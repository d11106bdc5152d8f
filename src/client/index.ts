export { createAuthClient } from "./create-auth-client.ts";
export { Ended, LoginRefused, Unavailable } from "./errors.ts";
export type {
  AccessTokenOptions,
  AuthClient,
  AuthClientOptions,
  AuthRecord,
  AuthSocket,
  AuthState,
  AuthStorage,
  ClientClock,
  ConnectOptions,
  OutCause,
  PendingLogout,
  SessionInfo,
  SocketEnd,
  TokenAnswer,
  Trouble,
  TroubleCause,
} from "./types.ts";
