import { HTTPException } from "hono/http-exception";
import { z } from "zod";
import { isHoldfastError } from "../../core/errors.ts";
import { withDeadline } from "../../resilience/deadline.ts";
import type { IssuerContext } from "../context.ts";
import { oauthError, asException } from "./respond.ts";

const MAX_BODY_BYTES = 65_536;
/** For the whole of it, in milliseconds. */
const BODY_DEADLINE_MS = 30_000;

export const stringSchema = (): z.ZodString => z.string("must be a string");

/** What names a session by its refresh token. */
export const refreshTokenBody: z.ZodType<{ refresh_token: string }> = z.object(
  { refresh_token: stringSchema() },
  "must be an object",
);

/** The JSON body as `schema` wants it. Refusals name members, never values. */
export async function readBody<T>(ctx: IssuerContext, request: Request, schema: z.ZodType<T>): Promise<T> {
  const bytes = await readBytes(ctx, request, "application/json");
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw badRequest(400, "The body is not JSON.");
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const member = issue?.path.join(".") || "The body";
  throw badRequest(400, `${member}: ${issue?.message ?? "not as expected"}`);
}

/** Parameters by name. One without a value counts as left out, and none may stand there twice (RFC 6749 §3.2). */
export type FormParameters = ReadonlyMap<string, string>;

export async function readForm(ctx: IssuerContext, request: Request): Promise<FormParameters> {
  const bytes = await readBytes(ctx, request, "application/x-www-form-urlencoded");
  const pairs = [...new URLSearchParams(bytes.toString())];
  if (new Set(pairs.map(([name]) => name)).size < pairs.length) {
    throw badRequest(400, "A parameter stands there twice.");
  }
  return new Map(pairs.filter(([, value]) => value !== ""));
}

export function requireParameter(form: FormParameters, name: string): string {
  const value = form.get(name);
  if (value === undefined) throw badRequest(400, `${name}: must be there`);
  return value;
}

/** What arrives is counted; `Content-Length` is not believed. */
async function readBytes(ctx: IssuerContext, { headers, body }: Request, type: string): Promise<Buffer> {
  if (headers.get("Content-Type")?.split(";", 1)[0]?.trim().toLowerCase() !== type) {
    throw badRequest(415, `The body must be ${type}.`);
  }
  const chunks: Uint8Array[] = [];
  const reader = body?.getReader();
  const read = async () => {
    let size = 0;
    for (let part = await reader?.read(); part?.done === false; part = await reader?.read()) {
      size += part.value.length;
      if (size > MAX_BODY_BYTES) throw badRequest(413, `The body must not exceed ${MAX_BODY_BYTES} bytes.`);
      chunks.push(part.value);
    }
  };
  try {
    await withDeadline(ctx.clock, "the body", BODY_DEADLINE_MS, read);
  } catch (error) {
    void reader?.cancel().catch(() => undefined);
    if (error instanceof HTTPException) throw error;
    if (isHoldfastError(error, "timeout")) throw badRequest(408, "The body took too long.");
    throw badRequest(400, "The body ended early.");
  }
  return Buffer.concat(chunks);
}

export function badRequest(status: number, description: string): HTTPException {
  return asException(oauthError(status, "invalid_request", description));
}
