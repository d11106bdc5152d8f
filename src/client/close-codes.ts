/* The close codes of docs/reference/close-codes.md that the client tells apart. */

/** A broken connection, or a handshake that was refused. */
export const ABNORMAL = 1006;
export const TOKEN_EXPIRED = 4401;
/** From this code on the client must not repeat the same attempt. */
export const FINAL = 4500;
/** A new token may be accepted after this code and after `TOKEN_REVOKED`. */
export const INVALID_TOKEN = 4501;
export const TOKEN_REVOKED = 4503;
export const OTHER_SUBJECT = 4504;

/** The `readyState` of a WebSocket before its handshake is over. */
export const CONNECTING = 0;
