import type { IncomingMessage, ServerResponse } from "node:http";

/** The limit of a body that was not read before the answer, in bytes on the wire. */
const MAX_UNREAD_BYTES = 131_072;
const MAX_UNREAD_MS = 1000;
/** How long a connection that was cut off stays open, so that the client can read the answer before the reset. */
const CUT_OFF_LINGER_MS = 1000;

/**
 * Ends the connection of a request that was answered before its body has arrived, unless the rest arrives soon. Node
 * would read and parse the rest without bound.
 */
export function limitUnreadBody(req: IncomingMessage, res: ServerResponse): void {
  const { socket } = req; // A request that was destroyed has none.
  res.once("finish", () => {
    if (req.complete) return;
    const bytesBefore = socket.bytesRead;
    const cutOff = () => {
      socket.off("data", count);
      socket.pause();
      socket.end();
      setTimeout(() => socket.destroy(), CUT_OFF_LINGER_MS).unref();
    };
    const count = () => {
      if (socket.bytesRead - bytesBefore > MAX_UNREAD_BYTES) cutOff();
    };
    const timer = setTimeout(cutOff, MAX_UNREAD_MS).unref();
    const stop = () => {
      clearTimeout(timer);
      socket.off("data", count);
    };
    // Node drops the parts of a body after the answer, so only the socket tells that they arrive.
    socket.on("data", count);
    req.once("end", stop).once("close", stop);
  });
}
