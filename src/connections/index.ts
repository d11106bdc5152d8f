export { createConnections } from "./create-connections.ts";
export { closeCodes, type CloseError } from "./close-codes.ts";
export type { RightsChange, RightsListener } from "./rights-change.ts";
export type {
  Closing,
  Connection,
  ConnectionHandle,
  Connections,
  ConnectionsOptions,
  ConnectionsStatus,
  Limited,
  SocketTransport,
  Refusal,
} from "./types.ts";
