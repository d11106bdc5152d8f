import { sleep, type Clock } from "../../core/clock.ts";
import type { FaultyAnswer, FaultHit } from "./fault.ts";

const HUGE_BYTES = 10_485_760;
const CHUNK_BYTES = 65_536;
const DRIP_MS = 1_000;

/** The request under a fault, and the correct answer that a faulty one is derived from. */
export interface FaultContext {
  readonly request: Request;
  /** Creates the correct answer on demand. */
  readonly correctResponse: () => Promise<Response>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Is called when a streamed body has ended. */
  readonly onBodyEnd: () => void;
}

/** Answers a request under a fault that does not prevent an answer. */
export async function applyFault(hit: FaultHit, context: FaultContext): Promise<Response> {
  const { status, answer, respond, headers } = hit;
  let response: Response;
  if (respond !== undefined) response = await respond(context.request);
  else if (answer !== undefined) response = await faultyResponse(answer, status, context);
  else if (status !== undefined) response = errorResponse(status, "temporarily_unavailable");
  else response = await context.correctResponse();
  for (const [name, value] of Object.entries(headers ?? {})) response.headers.set(name, value);
  return response;
}

/** An error response in the form of RFC 6749 §5.2. */
export function errorResponse(status: number, error: string): Response {
  if (status === 204 || status === 205 || status === 304) return new Response(null, { status });
  return Response.json({ error }, { status });
}

type BodyMaker = (correct: string, context: FaultContext) => string | ReadableStream<Uint8Array> | null;

const bodyMakers: Readonly<Record<FaultyAnswer, BodyMaker>> = {
  html: () => "<!doctype html><title>Welcome</title>",
  "no-content": () => null,
  empty: () => "",
  truncated: (correct) => correct.slice(0, Math.floor(correct.length / 2)),
  "wrong-schema": (correct) => `{"data":${correct}}`,
  "string-booleans": () => '{"active":"false","valid":"false"}',
  huge: (correct) => `{"padding":"${"x".repeat(HUGE_BYTES)}",${correct.slice(1)}`,
  redirect: () => null,
  endless: (_, context) => streamBody(endlessArray, context),
  "slow-loris": (correct, context) => streamBody((signal) => drip(correct, context.clock, signal), context),
};

async function faultyResponse(
  answer: FaultyAnswer,
  status: number | undefined,
  context: FaultContext,
): Promise<Response> {
  const correct = await (await context.correctResponse()).text();
  const body = bodyMakers[answer](correct, context);
  const defaultStatus = answer === "no-content" ? 204 : answer === "redirect" ? 307 : 200;
  const headers = new Headers({ "Content-Type": answer === "html" ? "text/html" : "application/json" });
  if (answer === "redirect") headers.set("Location", `${new URL(context.request.url).pathname}?followed`);
  return new Response(body, { status: status ?? defaultStatus, headers });
}

/** A body that is created chunk by chunk as it is read. Like a body of `fetch`, it fails when the request is aborted. */
function streamBody(
  make: (signal: AbortSignal) => Iterator<Uint8Array> | AsyncIterator<Uint8Array>,
  { signal, onBodyEnd }: FaultContext,
): ReadableStream<Uint8Array> {
  const cancelled = new AbortController();
  const chunks = make(AbortSignal.any([signal, cancelled.signal]));
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const abort = () => {
          controller.error(signal.reason);
          onBodyEnd();
        };
        signal.addEventListener("abort", abort, { once: true });
      },
      async pull(controller) {
        const { done, value } = await chunks.next();
        if (signal.aborted) return;
        if (done !== true) {
          controller.enqueue(value);
          return;
        }
        controller.close();
        onBodyEnd();
      },
      cancel() {
        cancelled.abort();
        onBodyEnd();
      },
    },
    { highWaterMark: 0 },
  );
}

/** A JSON array that never ends. */
function* endlessArray(): Generator<Uint8Array> {
  yield Buffer.from('{"keys":[');
  const chunk = Buffer.from("{},".repeat(CHUNK_BYTES / 3));
  for (;;) yield chunk;
}

/** Sends one byte a second. */
async function* drip(text: string, clock: Clock, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  for (const byte of Buffer.from(text)) {
    await sleep(clock, DRIP_MS, signal);
    yield Uint8Array.of(byte);
  }
}
