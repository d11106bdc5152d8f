import type { Connections, SocketTransport } from "../connections/index.ts";
import type { Rules } from "../core/rules.ts";
import type { Admission } from "../guard/types.ts";

/**
 * Whether a response is a stream of events, which lives for longer than a request. A response of Node may have a list of
 * one value.
 */
export function isEventStream(contentType: unknown): boolean {
  return /^text\/event-stream\b/i.test(String(contentType).trim());
}

/**
 * Registers a stream with the live connections. `end` is called when its token expires or is revoked, and at the limits. The
 * returned function tells the connections that the stream is over.
 */
export function superviseStream<C>(
  connections: Connections<C>,
  admission: Admission<C>,
  rules: Rules,
  end: () => void,
): () => void {
  // The messages about the token are not for event streams. Clients of MCP do not know them.
  const transport: SocketTransport = { send: () => {}, deliver: () => {}, close: end };
  const connection = connections.open(transport, admission, rules);
  return () => connection.closed();
}

/** Returns a stream of the same bytes that `supervise` can end. `supervise` returns what to call when the stream is over. */
export function endableStream(
  body: ReadableStream<Uint8Array>,
  supervise: (end: () => void) => () => void,
): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  let isOver = false;
  let over = () => {};
  const finish = () => {
    isOver = true;
    over();
  };
  return new ReadableStream<Uint8Array>({
    start(controller) {
      over = supervise(() => {
        if (isOver) return;
        finish();
        controller.close();
        reader.cancel().catch(() => {});
      });
    },
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (isOver) return;
        if (!done) controller.enqueue(value);
        else {
          finish();
          controller.close();
        }
      } catch (error) {
        if (isOver) return;
        finish();
        controller.error(error);
      }
    },
    async cancel(reason) {
      finish();
      await reader.cancel(reason);
    },
  });
}
