export { createIssuer } from "./create-issuer.ts";
export type * from "./hooks/session-event.ts";
export type * from "./types.ts";
export type * from "./sessions/session-types.ts";
export type * from "./users/user-types.ts";
export type * from "../stores/store.ts";
