export { createConnections } from "./connections/create-connections.ts";
export { closeCodes, type CloseError } from "./connections/close-codes.ts";
export type {
  Closing,
  Connection,
  ConnectionLine,
  Connections,
  ConnectionsOptions,
  ConnectionsStatus,
  Limited,
  Line,
  Refusal,
} from "./connections/types.ts";
