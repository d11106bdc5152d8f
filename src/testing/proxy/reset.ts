import type { Socket } from "node:net";

/**
 * Resets a connection, or gives up one that is not there yet.
 * While the end of a socket is on its way (its bytes are out, "finish" has not come), libuv refuses to reset it (EINVAL),
 * and Node then forgets the handle without closing it: its process never ends. So that end goes first.
 */
export function reset(socket: Socket): void {
  const ending = socket.writableEnded && socket.writableLength === 0 && !socket.writableFinished;
  if (socket.connecting) socket.destroy();
  else if (ending) socket.once("finish", () => socket.resetAndDestroy());
  else socket.resetAndDestroy();
}
