/** A fake key-set endpoint behind `fetch`. It returns what the test sets, and counts the requests. */
export class FakeKeyEndpoint {
  attempts = 0;
  answer: (signal: AbortSignal | null | undefined) => Response | Promise<Response>;

  constructor(set: unknown) {
    this.answer = () => Response.json(set);
  }

  readonly fetch = async (_url: string, init: RequestInit): Promise<Response> => {
    this.attempts++;
    return await this.answer(init.signal);
  };

  serve(set: unknown): void {
    this.answer = () => Response.json(set);
  }

  /** Answers with `set` after the returned function is called. */
  hold(set: unknown): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.answer = async () => {
      await promise;
      return Response.json(set);
    };
    return resolve;
  }

  fail(status = 503): void {
    this.answer = () => new Response("down", { status });
  }
}

/** Makes a body that repeats `chunk` without end, as fast as it is read. */
export function endless(chunk: string): { response: Response; sent: () => number; cancelled: () => boolean } {
  let sent = 0;
  let cancelled = false;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      sent += chunk.length;
      controller.enqueue(new TextEncoder().encode(chunk));
    },
    cancel() {
      cancelled = true;
    },
  });
  return { response: new Response(body), sent: () => sent, cancelled: () => cancelled };
}
