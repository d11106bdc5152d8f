import { once } from "node:events";
import { connect, type ClientHttp2Session, type ClientHttp2Stream } from "node:http2";
import { duplexPair, type Duplex } from "node:stream";
import { connect as connectTls, type TLSSocket } from "node:tls";
import type { RawResponse } from "./raw-client.ts";

/** A header field or pseudo-header as sent over the wire. */
export type Field = readonly [name: string, value: string];

export interface Http2Request {
  readonly fields: readonly Field[];
  readonly body?: string | undefined;
  readonly trailers?: readonly Field[];
}

/** Converts the lines of an HTTP/1.1 request to HTTP/2. The first `Host` becomes the authority. */
export function fieldsOf(requestLine: string, lines: readonly string[]): Field[] {
  const [method = "", path = ""] = requestLine.split(" ");
  const fields: Field[] = lines.map((line) => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  });
  const host = fields.findIndex(([name]) => name === "host");
  const authority = fields.splice(host, host === -1 ? 0 : 1).map(([, value]): Field => [":authority", value]);
  return [[":method", method], [":scheme", "https"], ...authority, [":path", path], ...fields];
}

/** The client of node:http2 over TLS. It writes `blocks` in place of its own header blocks, in their order. */
export async function connectHttp2(
  port: number,
  ca: string,
  blocks?: readonly (readonly Field[])[],
): Promise<ClientHttp2Session> {
  const socket = connectTls({
    port,
    host: "127.0.0.1",
    servername: "api.example",
    ca,
    ALPNProtocols: ["h2"],
  });
  socket.setNoDelay(); // Without this each request waits 40 ms for an acknowledgement.
  await once(socket, "secureConnect");
  if (socket.alpnProtocol !== "h2") throw new Error("the proxy does not speak HTTP/2");
  const createConnection = () => (blocks === undefined ? socket : withBlocks(socket, blocks));
  const session = connect("https://api.example", { createConnection });
  session.on("error", () => {}).setTimeout(10_000, () => session.destroy());
  return session;
}

/** Opens a request on a new connection. A request with a body or trailers waits for its `end`. */
export async function openHttp2(port: number, ca: string, request: Http2Request): Promise<ClientHttp2Stream> {
  const { fields, body, trailers } = request;
  const session = await connectHttp2(port, ca, [fields, trailers ?? []]);
  const stream = session.request(
    { ":method": "POST" },
    { endStream: body === undefined && trailers === undefined, waitForTrailers: trailers !== undefined },
  );
  stream.on("error", () => {}).on("close", () => session.destroy());
  stream.on("wantTrailers", () => stream.sendTrailers({ placeholder: "1" }));
  return stream;
}

/** Sends a request and returns its answer. `null` when the proxy resets it or closes the connection. */
export async function sendHttp2(
  port: number,
  ca: string,
  request: Http2Request,
): Promise<RawResponse | null> {
  const stream = await openHttp2(port, ca, request);
  const closed = new Promise((resolve) => stream.once("close", resolve));
  const chunks: Buffer[] = [];
  let status: number | undefined;
  const headers = new Map<string, string[]>();
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  stream.once("response", (fields, _, raw) => {
    status = fields[":status"];
    for (let i = 0; i < raw.length; i += 2) {
      const [name = "", value = ""] = raw.slice(i, i + 2);
      headers.set(name, [...(headers.get(name) ?? []), value]);
    }
  });
  if (stream.writable) stream.end(request.body, "latin1");
  await closed;
  return status === undefined ? null : { status, headers, body: Buffer.concat(chunks).toString("latin1") };
}

const HEADERS = 1;
const CONTINUATION = 9;
const END_STREAM = 1;
const END_HEADERS = 4;
const PREFACE_BYTES = 24;
const FRAME_HEADER_BYTES = 9;
/** The frame size that every server accepts (RFC 9113 §4.2). */
const MAX_PAYLOAD_BYTES = 16_384;

/** Wraps the socket, and replaces the header blocks that are written to it by `blocks`, in order. */
function withBlocks(socket: TLSSocket, blocks: readonly (readonly Field[])[]): Duplex {
  const [near, far] = duplexPair();
  const left = blocks.map(encoded);
  let pending = Buffer.alloc(0);
  let isBegun = false;
  const next = () => {
    if (!isBegun) return PREFACE_BYTES;
    return pending.length < FRAME_HEADER_BYTES ? Infinity : FRAME_HEADER_BYTES + pending.readUIntBE(0, 3);
  };
  far.on("data", (chunk: Buffer) => {
    pending = Buffer.concat([pending, chunk]);
    for (let end = next(); pending.length >= end; end = next()) {
      const frame = pending.subarray(0, end);
      pending = pending.subarray(end);
      isBegun = true;
      socket.write(frame[3] === HEADERS ? frames(frame, left.shift() ?? Buffer.alloc(0)) : frame);
    }
  });
  far.on("end", () => socket.end()).on("close", () => socket.destroy());
  socket.on("error", () => {}).on("data", (chunk) => far.write(chunk));
  socket.on("end", () => far.end()).on("close", () => far.destroy());
  return near;
}

/** Replaces the header block of `frame` by another one, in as many frames as it needs. */
function frames(frame: Buffer, block: Buffer): Buffer {
  const all: Buffer[] = [];
  for (let at = 0; at === 0 || at < block.length; at += MAX_PAYLOAD_BYTES) {
    const payload = block.subarray(at, at + MAX_PAYLOAD_BYTES);
    const header = Buffer.from(frame.subarray(0, FRAME_HEADER_BYTES));
    header.writeUIntBE(payload.length, 0, 3);
    header[3] = at === 0 ? HEADERS : CONTINUATION;
    header[4] = at === 0 ? (frame[4] ?? 0) & END_STREAM : 0;
    if (at + payload.length === block.length) header[4] |= END_HEADERS;
    all.push(header, payload);
  }
  return Buffer.concat(all);
}

/** Encodes literal fields without indexing, with new names and without Huffman code (RFC 7541 §6.2.2). */
function encoded(fields: readonly Field[]): Buffer {
  return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.from([0]), literal(name), literal(value)]));
}

/** Encodes a text: its length as an integer with a prefix of 7 bits (RFC 7541 §5.1), and its bytes. */
function literal(value: string): Buffer {
  const length = value.length < 127 ? [value.length] : [127];
  for (let rest = value.length - 127; rest >= 0; rest = rest < 128 ? -1 : rest >> 7) {
    length.push(rest < 128 ? rest : (rest & 127) | 128);
  }
  return Buffer.concat([Buffer.from(length), Buffer.from(value, "latin1")]);
}
