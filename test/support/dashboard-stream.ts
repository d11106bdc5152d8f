import { promisify } from "node:util";
import { inflateRaw } from "node:zlib";
import type { PackedHistory, StreamMessages } from "../../src/dashboard/wire.ts";

const inflate = promisify(inflateRaw);

type Name = keyof StreamMessages;

/** A message of `GET /events`. */
export type StreamMessage = {
  [N in Name]: { readonly name: N; readonly id: string; readonly data: StreamMessages[N] };
}[Name];

/** Reads the messages of a stream as they come. Ends with the stream. */
export async function* readMessages(response: Response): AsyncGenerator<StreamMessage> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk as Uint8Array, { stream: true });
    const parts = text.split("\n\n");
    text = parts.pop() ?? "";
    for (const part of parts) yield readMessage(part);
  }
}

function readMessage(text: string): StreamMessage {
  const fields = Object.fromEntries(
    text.split("\n").map((line) => {
      const end = line.indexOf(": ");
      return [line.slice(0, end), line.slice(end + 2)];
    }),
  ) as { event: Name; id: string; data: string };
  return { name: fields.event, id: fields.id, data: JSON.parse(fields.data) as never };
}

/** Reads messages until there is one of this name that `isWanted` accepts. */
export async function nextMessage<N extends Name>(
  messages: AsyncGenerator<StreamMessage>,
  name: N,
  isWanted: (data: StreamMessages[N]) => boolean = () => true,
): Promise<{ readonly id: string; readonly data: StreamMessages[N] }> {
  for (;;) {
    const { done, value } = await messages.next();
    if (done === true) throw new Error(`the stream ended before a wanted ${name}`);
    if (value.name === name && isWanted(value.data as StreamMessages[N])) {
      return { id: value.id, data: value.data as StreamMessages[N] };
    }
  }
}

/** A history as the page reads it: a time and the values of its fields in each row. */
export async function unpackHistory(
  { rows, data }: PackedHistory,
  columns: number,
): Promise<{ readonly at: number; readonly values: number[] }[]> {
  const bytes = Uint8Array.from(await inflate(Buffer.from(data, "base64")));
  const times = new Float64Array(bytes.buffer, 0, rows);
  const values = new Float32Array(bytes.buffer, 8 * rows, rows * columns);
  return [...times].map((at, row) => ({
    at,
    values: Array.from({ length: columns }, (_, column) => values[column * rows + row] ?? Number.NaN),
  }));
}
