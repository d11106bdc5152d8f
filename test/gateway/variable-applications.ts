import { once } from "node:events";
import http2 from "node:http2";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";

/*
 * Small applications that nginx reaches by another protocol than HTTP/1.1. Each answers with the variables or headers of
 * the request as JSON. A path that ends with a number is answered with that status.
 */

export type ApplicationProtocol = "fastcgi" | "uwsgi" | "scgi" | "grpc";

export interface VariableApplication {
  readonly port: number;
  stop(): Promise<void>;
}

type Variables = Record<string, string>;

/** Reads one request from the bytes. `null` while it is incomplete. */
type ReadRequest = (bytes: Buffer) => Variables | null;

/** Applications read the last of two variables of one name. */
function toVariables(pairs: Iterable<readonly [string, string]>): Variables {
  return Object.fromEntries(pairs);
}

/** SCGI: the length, a colon, and names and values that each end with a zero. */
const readScgi: ReadRequest = (bytes) => {
  const colon = bytes.indexOf(":");
  const end = colon + 1 + Number(bytes.subarray(0, Math.max(colon, 0)));
  if (colon === -1 || bytes.length <= end) return null;
  const parts = bytes.toString("latin1", colon + 1, end).split("\0");
  return toVariables(parts.flatMap((name, i) => (i % 2 === 0 ? [[name, parts[i + 1] ?? ""]] : [])));
};

/** uwsgi: a head of four bytes with the length, and names and values after their lengths. */
const readUwsgi: ReadRequest = (bytes) => {
  if (bytes.length < 4 || bytes.length < 4 + bytes.readUInt16LE(1)) return null;
  const texts: string[] = [];
  for (let at = 4; at < 4 + bytes.readUInt16LE(1);) {
    const length = bytes.readUInt16LE(at);
    texts.push(bytes.toString("latin1", at + 2, at + 2 + length));
    at += 2 + length;
  }
  return toVariables(texts.flatMap((name, i) => (i % 2 === 0 ? [[name, texts[i + 1] ?? ""]] : [])));
};

const PARAMS = 4;
const STDIN = 5;

/** FastCGI: records. The names and values are those of all records of the type PARAMS. An empty STDIN ends the request. */
const readFastcgi: ReadRequest = (bytes) => {
  const params: Buffer[] = [];
  for (let at = 0; at + 8 <= bytes.length;) {
    const [type, length, padding] = [bytes[at + 1], bytes.readUInt16BE(at + 4), bytes[at + 6] ?? 0];
    if (type === PARAMS) params.push(bytes.subarray(at + 8, at + 8 + length));
    if (type === STDIN && length === 0) return readFastcgiPairs(Buffer.concat(params));
    at += 8 + length + padding;
  }
  return null;
};

function readFastcgiPairs(bytes: Buffer): Variables {
  let at = 0;
  const readLength = () => {
    const isLong = (bytes[at] ?? 0) > 127;
    const length = isLong ? bytes.readUInt32BE(at) & 0x7fffffff : (bytes[at] ?? 0);
    at += isLong ? 4 : 1;
    return length;
  };
  const pairs: [string, string][] = [];
  while (at < bytes.length) {
    const [name, value] = [readLength(), readLength()];
    pairs.push([
      bytes.toString("latin1", at, at + name),
      bytes.toString("latin1", at + name, at + name + value),
    ]);
    at += name + value;
  }
  return toVariables(pairs);
}

function fastcgiRecord(type: number, content: Buffer): Buffer {
  const head = Buffer.from([1, type, 0, 1, 0, 0, 0, 0]);
  head.writeUInt16BE(content.length, 4);
  return Buffer.concat([head, content]);
}

const readers = { scgi: readScgi, uwsgi: readUwsgi, fastcgi: readFastcgi } as const;

function answer(protocol: keyof typeof readers, variables: Variables): Buffer {
  const status = /(\d{3})$/.exec(variables["REQUEST_URI"] ?? "")?.[1] ?? "200";
  const start = protocol === "uwsgi" ? `HTTP/1.1 ${status} Told` : `Status: ${status} Told`;
  const text = `${start}\r\nContent-Type: application/json\r\n\r\n${JSON.stringify(variables)}`;
  if (protocol !== "fastcgi") return Buffer.from(text);
  const [stdout, endRequest] = [6, 3];
  return Buffer.concat([
    fastcgiRecord(stdout, Buffer.from(text)),
    fastcgiRecord(stdout, Buffer.alloc(0)),
    fastcgiRecord(endRequest, Buffer.alloc(8)),
  ]);
}

function createVariableServer(protocol: keyof typeof readers): Server {
  return createServer((socket) => {
    let bytes = Buffer.alloc(0);
    socket.on("error", () => {});
    socket.on("data", (chunk) => {
      bytes = Buffer.concat([bytes, chunk]);
      const variables = readers[protocol](bytes);
      if (variables !== null) socket.end(answer(protocol, variables));
    });
  });
}

/** gRPC without TLS: HTTP/2 with prior knowledge. */
function createGrpcServer(): Server {
  const server = http2.createServer();
  server.on("stream", (stream, headers) => {
    stream.on("error", () => {});
    const status = Number(/(\d{3})$/.exec(headers[":path"] ?? "")?.[1] ?? 200);
    stream.respond({ ":status": status, "content-type": "application/grpc" });
    stream.end(JSON.stringify(headers));
  });
  return server;
}

/** Starts the application on a free port of 127.0.0.1. */
export async function startVariableApplication(protocol: ApplicationProtocol): Promise<VariableApplication> {
  const server = protocol === "grpc" ? createGrpcServer() : createVariableServer(protocol);
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => sockets.add(socket));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    async stop() {
      const closed = once(server, "close");
      for (const socket of sockets) socket.destroy();
      server.close();
      await closed;
    },
  };
}
