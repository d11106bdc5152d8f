import type { IncomingMessage, ServerResponse } from "node:http";
import { systemClock } from "../../core/clock.ts";

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
      systemClock.after(CUT_OFF_LINGER_MS, () => socket.destroy());
    };
    const count = () => {
      if (socket.bytesRead - bytesBefore > MAX_UNREAD_BYTES) cutOff();
    };
    const stopTimer = systemClock.after(MAX_UNREAD_MS, cutOff);
    const stop = () => {
      stopTimer();
      socket.off("data", count);
    };
    // Node drops the parts of a body after the answer, so only the socket tells that they arrive.
    socket.on("data", count);
    req.once("end", stop).once("close", stop);
  });
}
