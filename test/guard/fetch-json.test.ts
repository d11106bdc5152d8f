import assert from "node:assert/strict";
import { test } from "node:test";
import { isHoldfastError } from "../../src/core/errors.ts";
import { readBody } from "../../src/guard/fetch-json.ts";

/** A body that sends its parts, tells whether it was cancelled, and stays open when it has no end. */
function createBody(parts: readonly string[], isEndless: boolean) {
  const cancelled: unknown[] = [];
  const stream = new ReadableStream<Uint8Array<ArrayBuffer>>({
    start(controller) {
      for (const part of parts) controller.enqueue(new TextEncoder().encode(part));
      if (!isEndless) controller.close();
    },
    cancel: (reason) => void cancelled.push(reason),
  });
  return { response: new Response(stream), cancelled };
}

const never = new AbortController().signal;

test("a body is read in all its parts, and one without a stream is empty", async () => {
  const { response } = createBody(["one ", "two"], false);
  assert.equal(String(await readBody("it", response, 7, never)), "one two");
  assert.equal((await readBody("it", new Response(null), 0, never)).length, 0);
});

test("a body that is too long is refused before its end, and cancelled", async () => {
  const { response, cancelled } = createBody(["one ", "two"], true);
  await assert.rejects(
    readBody("it", response, 6, never),
    (error) => isHoldfastError(error, "upstream_failed") && error.message === "it is longer than 6 bytes",
  );
  assert.equal(cancelled.length, 1);
});

test("a body without an end is cancelled at the abort of its signal, with the reason", async () => {
  const { response, cancelled } = createBody(["one"], true);
  const controller = new AbortController();
  const reading = readBody("it", response, 100, controller.signal);
  const reason = new Error("the deadline");
  controller.abort(reason);
  await assert.rejects(reading, reason);
  assert.deepEqual(cancelled, [reason]);
});

test("a body is cancelled and not read when its signal has aborted before", async () => {
  const { response, cancelled } = createBody(["one"], false);
  const reason = new Error("the deadline");
  await assert.rejects(readBody("it", response, 100, AbortSignal.abort(reason)), reason);
  assert.deepEqual(cancelled, [reason]);
});

test("an error of the body is that of the read", async () => {
  const reason = new Error("reset");
  const response = new Response(new ReadableStream({ start: (controller) => controller.error(reason) }));
  await assert.rejects(readBody("it", response, 100, never), reason);
});
