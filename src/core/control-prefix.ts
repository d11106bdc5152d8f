/** The first bytes of every WebSocket message about the connection's token. The application's messages begin differently. */
export const controlPrefix = '{"type":"auth.';
