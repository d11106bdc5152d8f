import type { z } from "zod";
import { problem } from "./respond.ts";

const MAX_BODY_BYTES = 65_536;

/** The JSON body as `schema` wants it, or the response that refuses it. Messages name members, never values. */
export async function readBody<T>(request: Request, schema: z.ZodType<T>): Promise<T | Response> {
  const type = request.headers.get("Content-Type")?.split(";", 1)[0]?.trim().toLowerCase();
  if (type !== "application/json") {
    return problem(415, "invalid_request", "The body must be JSON: Content-Type: application/json.");
  }
  let bytes: Buffer | null;
  try {
    bytes = await readBytes(request);
  } catch {
    return problem(400, "invalid_request", "The body ended early.");
  }
  if (bytes === null) {
    return problem(413, "invalid_request", `The body must not exceed ${MAX_BODY_BYTES} bytes.`);
  }
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return problem(400, "invalid_request", "The body is not JSON.");
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const member = issue?.path.join(".") || "The body";
  return problem(400, "invalid_request", `${member}: ${issue?.message ?? "not as expected"}`);
}

/** `null` past the limit, which is counted here and not taken from `Content-Length`. */
async function readBytes(request: Request): Promise<Buffer | null> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body ?? []) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
