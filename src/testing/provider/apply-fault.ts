import { sleep, type Clock } from "../../core/clock.ts";
import type { FaultyAnswer, FaultHit } from "./fault.ts";

const HUGE_BYTES = 10_485_760;
const CHUNK_BYTES = 65_536;
const DRIP_MS = 1_000;

/** What a faulty answer is made from. */
export interface FaultContext {
  readonly request: Request;
  /** The right answer, made only where it is needed. */
  readonly correctResponse: () => Promise<Response>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Called when a body that takes its time has ended. */
  readonly onBodyEnd: () => void;
}

/** The answer under a fault that lets there be one. */
export async function applyFault(strike: FaultHit, spoiling: FaultContext): Promise<Response> {
  const { status, answer, respond, headers } = strike;
  let response: Response;
  if (respond !== undefined) response = await respond(spoiling.request);
  else if (answer !== undefined) response = await faultyResponse(answer, status, spoiling);
  else if (status !== undefined) response = errorResponse(status, "temporarily_unavailable");
  else response = await spoiling.correctResponse();
  for (const [name, value] of Object.entries(headers ?? {})) response.headers.set(name, value);
  return response;
}

/** An error in the form of RFC 6749 §5.2. */
export function errorResponse(status: number, error: string): Response {
  if (status === 204 || status === 205 || status === 304) return new Response(null, { status });
  return Response.json({ error }, { status });
}

type BodyMaker = (right: string, spoiling: FaultContext) => string | ReadableStream<Uint8Array> | null;

const bodyMakers: Readonly<Record<FaultyAnswer, BodyMaker>> = {
  html: () => "<!doctype html><title>Welcome</title>",
  "no-content": () => null,
  empty: () => "",
  truncated: (right) => right.slice(0, Math.floor(right.length / 2)),
  "wrong-schema": (right) => `{"data":${right}}`,
  "string-booleans": () => '{"active":"false","valid":"false"}',
  huge: (right) => `{"padding":"${"x".repeat(HUGE_BYTES)}",${right.slice(1)}`,
  redirect: () => null,
  endless: (_, spoiling) => streamBody(endlessArray, spoiling),
  "slow-loris": (right, spoiling) => streamBody((signal) => drip(right, spoiling.clock, signal), spoiling),
};

async function faultyResponse(
  answer: FaultyAnswer,
  status: number | undefined,
  spoiling: FaultContext,
): Promise<Response> {
  const right = await (await spoiling.correctResponse()).text();
  const body = bodyMakers[answer](right, spoiling);
  const usual = answer === "no-content" ? 204 : answer === "redirect" ? 307 : 200;
  const headers = new Headers({ "Content-Type": answer === "html" ? "text/html" : "application/json" });
  if (answer === "redirect") headers.set("Location", `${new URL(spoiling.request.url).pathname}?followed`);
  return new Response(body, { status: status ?? usual, headers });
}

/** A body made chunk by chunk as it is read, that fails as that of `fetch` does when the request is aborted. */
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

/** An array that never closes. */
function* endlessArray(): Generator<Uint8Array> {
  yield Buffer.from('{"keys":[');
  const chunk = Buffer.from("{},".repeat(CHUNK_BYTES / 3));
  for (;;) yield chunk;
}

/** A byte at a time. */
async function* drip(text: string, clock: Clock, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  for (const byte of Buffer.from(text)) {
    await sleep(clock, DRIP_MS, signal);
    yield Uint8Array.of(byte);
  }
}
