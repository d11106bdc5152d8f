import type { PlainRequest } from "../../core/plain-http.ts";
import { z } from "zod";
import { isHoldfastError } from "../../core/errors.ts";
import { withTimeLimit } from "../../resilience/deadline.ts";
import type { IssuerContext } from "../context.ts";
import { oauthError, EndpointException, asException } from "./respond.ts";

const MAX_BODY_BYTES = 65_536;
/** The most parts of a body. Each costs a turn, so a body of tiny chunks would take long to read. */
const MAX_BODY_PARTS = 4096;
/** Cookie mode writes a parsed body again, and `JSON.stringify` exhausts the stack at a few thousand levels. */
const MAX_BODY_DEPTH = 32;
/** Time in which the whole body must arrive. */
const BODY_DEADLINE_MS = 10_000;
/** No endpoint reads more than a few parameters. Requests may have some that are unknown (RFC 6749 §3.2). */
const MAX_FORM_PARAMETERS = 64;

export const stringSchema = (): z.ZodString => z.string("must be a string");

/** A request whose session is identified by its refresh token. */
export const refreshTokenBody: z.ZodType<{ refresh_token: string }> = z.object(
  { refresh_token: stringSchema() },
  "must be an object",
);

/** The values of `resource` in a JSON body: one, or a list (RFC 8707 §2). */
export const resourceSchema: z.ZodType<readonly string[] | undefined> = z
  .union(
    [z.string().transform((one) => [one]), z.array(z.string())],
    "must be a string or an array of strings",
  )
  .optional();

/** A request for a refresh. With `acknowledge` the client announces that it will acknowledge the new refresh token. */
export const refreshBody: z.ZodType<{
  refresh_token: string;
  acknowledge?: boolean | undefined;
  resource?: readonly string[] | undefined;
}> = z.object(
  {
    refresh_token: stringSchema(),
    acknowledge: z.boolean("must be a boolean").optional(),
    resource: resourceSchema,
  },
  "must be an object",
);

/** Reads a JSON body. Throws a 400 that names the member at fault, never its value, because that may be a password. */
export async function readBody<T>(
  ctx: Pick<IssuerContext, "clock">,
  request: PlainRequest,
  schema: z.ZodType<T>,
  maxBytes: number = MAX_BODY_BYTES,
): Promise<T> {
  const bytes = await readBytes(ctx, request, "application/json", maxBytes);
  return parseBody(parseJson(bytes), schema);
}

const anyObject = z.record(z.string(), z.unknown(), "must be an object");

/** Reads a JSON object from a body that may be missing or empty, which means an object without members. */
export async function readJsonObject(
  ctx: Pick<IssuerContext, "clock">,
  request: PlainRequest,
): Promise<Readonly<Record<string, unknown>>> {
  if (!request.headers.has("Content-Type")) return {};
  const bytes = await readBytes(ctx, request, "application/json", MAX_BODY_BYTES);
  return bytes.length === 0 ? {} : parseBody(parseJson(bytes), anyObject);
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

function parseJson(bytes: Buffer): unknown {
  let value: unknown;
  let text: string;
  try {
    text = utf8.decode(bytes);
    value = JSON.parse(text);
  } catch {
    throw badRequest(400, "The body is not JSON.");
  }
  // Nearly every body has few brackets, so that it cannot nest deeply.
  const brackets = countText(text, "{", MAX_BODY_DEPTH) + countText(text, "[", MAX_BODY_DEPTH);
  if (brackets <= MAX_BODY_DEPTH || depthOf(text) <= MAX_BODY_DEPTH) return value;
  throw badRequest(400, `The body must not nest deeper than ${MAX_BODY_DEPTH} objects and arrays.`);
}

/** The deepest nesting of objects and arrays in JSON. */
function depthOf(json: string): number {
  let depth = 0;
  let deepest = 0;
  let isInString = false;
  for (let i = 0; i < json.length; i++) {
    const char = json[i];
    if (isInString && char === "\\") i++;
    else if (char === '"') isInString = !isInString;
    else if (isInString) continue;
    else if (char === "{" || char === "[") deepest = Math.max(deepest, ++depth);
    else if (char === "}" || char === "]") depth--;
  }
  return deepest;
}

/** Checks the JSON value of a body. Throws as `readBody` does. */
export function parseBody<T>(value: unknown, schema: z.ZodType<T>): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const member = issue?.path.join(".") || "The body";
  throw badRequest(400, `${member}: ${issue?.message ?? "not as expected"}`);
}

/** Form parameters. A parameter without a value counts as left out (RFC 6749 §3.2). */
export interface FormParameters {
  readonly get: (name: string) => string | undefined;
  /** The values of `resource`, the one parameter that may be repeated (RFC 8707 §2). */
  readonly resources: readonly string[];
}

/** Reads a form body. Throws a 400 for a parameter that is given twice (RFC 6749 §3.2). */
export async function readForm(ctx: IssuerContext, request: PlainRequest): Promise<FormParameters> {
  const bytes = await readBytes(ctx, request, "application/x-www-form-urlencoded", MAX_BODY_BYTES);
  const text = bytes.toString();
  if (countText(text, "&", MAX_FORM_PARAMETERS) >= MAX_FORM_PARAMETERS) {
    throw badRequest(400, `The body must not have more than ${MAX_FORM_PARAMETERS} parameters.`);
  }
  const all = [...new URLSearchParams(text)];
  const pairs = all.filter(([name]) => name !== "resource");
  if (new Set(pairs.map(([name]) => name)).size < pairs.length) {
    throw badRequest(400, "A parameter is given twice.");
  }
  const values = new Map(pairs.filter(([, value]) => value !== ""));
  const resources = all.flatMap(([name, value]) => (name === "resource" && value !== "" ? [value] : []));
  return { get: (name) => values.get(name), resources };
}

/** Counts how often the character occurs, up to one more than `max`. */
function countText(text: string, character: string, max: number): number {
  let found = 0;
  for (let at = text.indexOf(character); at !== -1 && found <= max; at = text.indexOf(character, at + 1))
    found++;
  return found;
}

export function requireParameter(form: FormParameters, name: string): string {
  const value = form.get(name);
  if (value === undefined) throw badRequest(400, `${name}: is missing`);
  return value;
}

/** Counts the bytes that arrive, because `Content-Length` can be wrong. */
async function readBytes(
  ctx: Pick<IssuerContext, "clock">,
  { headers, body }: PlainRequest,
  type: string,
  maxBytes: number,
): Promise<Buffer> {
  if (headers.get("Content-Type")?.split(";", 1)[0]?.trim().toLowerCase() !== type) {
    throw badRequest(415, `The body must be ${type}.`);
  }
  // RFC 9110 §8.4.1: a coding that is not decoded must not pass for the content.
  if (!/^(?:identity)?$/i.test(headers.get("Content-Encoding") ?? "")) {
    throw badRequest(415, "The body must have no content coding.", { "Accept-Encoding": "identity" });
  }
  const chunks: Uint8Array[] = [];
  let size = 0;
  const take = (part: Uint8Array) => {
    size += part.length;
    if (chunks.length >= MAX_BODY_PARTS) throw badRequest(413, "The body has too many parts.");
    if (size > maxBytes) throw badRequest(413, `The body must not exceed ${maxBytes} bytes.`);
    chunks.push(part);
  };
  try {
    await withTimeLimit(ctx.clock, "the body", BODY_DEADLINE_MS, body.read(take));
  } catch (error) {
    body.cancel();
    if (error instanceof EndpointException) throw error;
    if (isHoldfastError(error, "timeout")) throw badRequest(408, "The body took too long.");
    throw badRequest(400, "The body ended early.");
  }
  return Buffer.concat(chunks);
}

export function badRequest(
  status: number,
  description: string,
  headers?: Readonly<Record<string, string>>,
): EndpointException {
  return asException(oauthError(status, "invalid_request", description, headers));
}
