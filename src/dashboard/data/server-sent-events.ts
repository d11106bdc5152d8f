/** A message of a `text/event-stream`. */
export interface ServerSentEvent {
  readonly event: string;
  readonly data: string;
  /** `null` when the message has no id. */
  readonly id: string | null;
}

/** A message longer than this ends the stream, because a server that never ends a line would fill the memory. */
const MAX_MESSAGE_CHARS = 16_777_216;

/**
 * Reads the messages of a stream. `EventSource` cannot send a header, and the listener may need its token in one.
 * Rejects when the stream fails, and returns when it ends.
 */
export async function* readEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerSentEvent> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let parts: string[] = [];
  let chars = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const text = decoder.decode(value, { stream: true }).replaceAll("\r", "");
      const before = parts.at(-1) ?? "";
      parts.push(text);
      chars += text.length;
      if (chars > MAX_MESSAGE_CHARS) throw new Error("a message of the stream is too long");
      // The end of a message may be divided between two chunks.
      if (!text.includes("\n\n") && !(before.endsWith("\n") && text.startsWith("\n"))) continue;
      const blocks = parts.join("").split("\n\n");
      const rest = blocks.pop() ?? "";
      parts = [rest];
      chars = rest.length;
      for (const block of blocks) {
        const message = parseBlock(block);
        if (message !== null) yield message;
      }
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

/** `null` for a block without data, such as a comment that keeps the stream open. */
function parseBlock(block: string): ServerSentEvent | null {
  let [event, id] = ["message", null as string | null];
  const data: string[] = [];
  for (const line of block.split("\n")) {
    const colon = line.indexOf(":");
    if (colon === 0) continue;
    const name = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "event") event = value;
    else if (name === "id") id = value;
    else if (name === "data") data.push(value);
  }
  return data.length === 0 ? null : { event, data: data.join("\n"), id };
}
