import type { Socket } from "node:net";

/**
 * Resets a connection, or aborts one that is still connecting.
 *
 * A socket that has ended and not yet emitted "finish" cannot be reset: libuv returns EINVAL, and Node drops the handle
 * without closing it, so the process never exits. The reset of such a socket waits for "finish".
 */
export function reset(socket: Socket): void {
  const ending = socket.writableEnded && socket.writableLength === 0 && !socket.writableFinished;
  if (socket.connecting) socket.destroy();
  else if (ending) socket.once("finish", () => socket.resetAndDestroy());
  else socket.resetAndDestroy();
}
