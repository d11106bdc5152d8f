/** Messages over a WebSocket that are about its token, and not the application's, begin like this, byte by byte. */
export const controlPrefix = '{"type":"auth.';
