import assert from "node:assert/strict";
import { test } from "node:test";
import { readEvents, type ServerSentEvent } from "../../../src/dashboard/data/server-sent-events.ts";

const text = [
  ": the stream is open\n\n",
  'event: snapshot\nid: a-1\ndata: {"name": "Zoë"}\n\n',
  "id: a-2\r\nevent: frame\r\ndata: 1\r\ndata: 2\r\n\r\n",
  "data:no blank\n\n",
].join("");

const messages: ServerSentEvent[] = [
  { event: "snapshot", id: "a-1", data: '{"name": "Zoë"}' },
  { event: "frame", id: "a-2", data: "1\n2" },
  { event: "message", id: null, data: "no blank" },
];

async function read(chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<ServerSentEvent[]> {
  const found: ServerSentEvent[] = [];
  for await (const message of readEvents(ReadableStream.from(chunks))) found.push(message);
  return found;
}

test("the messages of a stream are the same wherever the network divides it", async () => {
  const bytes = new TextEncoder().encode(text);
  for (let size = 1; size <= bytes.length; size++) {
    const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
      bytes.subarray(index * size, (index + 1) * size),
    );
    assert.deepEqual(await read(chunks), messages, `chunks of ${size} bytes`);
  }
});

test("a message that the end of the stream cuts off is not read", async () => {
  assert.deepEqual(await read([new TextEncoder().encode("data: whole\n\ndata: half")]), [
    { event: "message", id: null, data: "whole" },
  ]);
});

test("law 6: a message without an end does not fill the memory", async () => {
  const chunk = new Uint8Array(1_048_576).fill(97);
  async function* endless() {
    for (let sent = 0; sent < 64; sent++) yield chunk;
  }
  await assert.rejects(read(endless()), /a message of the stream is too long/);
});
