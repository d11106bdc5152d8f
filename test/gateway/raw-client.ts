import { connect } from "node:net";

export interface RawResponse {
  readonly status: number;
  /** All values of each header, by its name in lower case. */
  readonly headers: ReadonlyMap<string, readonly string[]>;
  readonly body: string;
}

/**
 * Writes these bytes to the port and reads until the other side closes: what no well-behaved client would send. `null`
 * when it closes without an answer.
 */
export async function sendRaw(port: number, bytes: string): Promise<RawResponse | null> {
  const text = await new Promise<string>((resolve) => {
    const chunks: Buffer[] = [];
    const socket = connect(port, "127.0.0.1", () => socket.write(Buffer.from(bytes, "latin1")));
    socket.setTimeout(10_000, () => socket.destroy());
    socket.on("data", (chunk) => {
      chunks.push(chunk);
      if (chunk.includes("HTTP/1.1 101 ")) socket.end(); // The connection would stay open.
    });
    socket.on("error", () => {});
    socket.once("close", () => resolve(Buffer.concat(chunks).toString("latin1")));
  });
  return parse(text);
}

/** Sends a request with these lines. The connection is closed after it. */
export async function sendLines(
  port: number,
  requestLine: string,
  headers: readonly string[],
  body = "",
): Promise<RawResponse | null> {
  const lines = headers.some((line) => /^connection:/i.test(line))
    ? headers
    : [...headers, "Connection: close"];
  return await sendRaw(port, `${[requestLine, ...lines].join("\r\n")}\r\n\r\n${body}`);
}

function parse(answer: string): RawResponse | null {
  const text = answer.replace(/^(?:HTTP\/1\.1 10[02-9] [^]*?\r\n\r\n)+/, ""); // Informational responses come first.
  const status = /^HTTP\/1\.[01] (\d{3})/.exec(text)?.[1];
  if (status === undefined) return null;
  const end = text.indexOf("\r\n\r\n");
  const headers = new Map<string, string[]>();
  for (const line of text.slice(0, end).split("\r\n").slice(1)) {
    const colon = line.indexOf(":");
    const name = line.slice(0, colon).toLowerCase();
    headers.set(name, [...(headers.get(name) ?? []), line.slice(colon + 1).trim()]);
  }
  const rest = text.slice(end + 4);
  const isChunked = headers.get("transfer-encoding")?.includes("chunked") === true;
  return { status: Number(status), headers, body: isChunked ? unchunked(rest) : rest };
}

function unchunked(text: string): string {
  const [, size = "0", rest = ""] = /^([\da-f]+)\r\n([^]*)$/i.exec(text) ?? [];
  const length = Number.parseInt(size, 16);
  return length === 0 ? "" : rest.slice(0, length) + unchunked(rest.slice(length + 2));
}
