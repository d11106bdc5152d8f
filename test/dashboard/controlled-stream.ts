import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import type { Frame, Snapshot, StreamMessages } from "../../src/dashboard/wire.ts";
import type { Headline } from "../../src/dashboard/wire-state.ts";
import { within } from "../support/deadline.ts";
import { nextMessage, readMessages } from "../support/dashboard-stream.ts";

/** The dashboard of a real service, whose stream the test writes. */
export interface ControlledStream {
  readonly origin: string;
  /** The first message of the real stream. */
  readonly snapshot: Snapshot;
  readonly send: <N extends keyof StreamMessages>(name: N, data: StreamMessages[N]) => Promise<void>;
}

/** Passes every request to the admin listener but the one for the stream. */
export async function startControlledStream(t: TestContext, adminAddress: string): Promise<ControlledStream> {
  const real = await fetch(`${adminAddress}/events`);
  const messages = readMessages(real);
  const { data: snapshot } = await nextMessage(messages, "snapshot");
  await messages.return(undefined);
  const opened = Promise.withResolvers<void>();
  let stream: ServerResponse | null = null;
  let lastSnapshot = "";
  const server = createServer((req, res) => {
    if (req.url === "/events") {
      res.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders();
      // A page whose stream was silent for long opens another one, and needs a snapshot first.
      if (lastSnapshot !== "") res.write(lastSnapshot);
      stream = res;
      opened.resolve();
      return;
    }
    void passOn(adminAddress + (req.url ?? ""), res);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  let id = 0;
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    snapshot,
    send: async (name, data) => {
      await within(opened.promise, 30_000, "a page opens the stream");
      const text = `event: ${name}\nid: test-${++id}\ndata: ${JSON.stringify(data)}\n\n`;
      if (name === "snapshot") lastSnapshot = text;
      if (stream === null || stream.destroyed || stream.write(text)) return;
      const read = Promise.race([once(stream, "drain"), once(stream, "close")]);
      await within(read, 30_000, "the page reads the stream");
    },
  };
}

async function passOn(address: string, res: ServerResponse): Promise<void> {
  const answer = await fetch(address);
  const headers = Object.fromEntries(answer.headers);
  // fetch has decompressed the body.
  for (const name of ["content-encoding", "content-length", "transfer-encoding"]) delete headers[name];
  res.writeHead(answer.status, headers).end(Buffer.from(await answer.arrayBuffer()));
}

/** A frame like `frame`, at another time or with another headline. */
export function frameLike(frame: Frame, at: number, headline: Partial<Headline> = {}): Frame {
  return { ...frame, at, state: { ...frame.state, headline: { ...frame.state.headline, ...headline } } };
}
