import type { Field } from "../http2-client.ts";

export const authority = (value: string): Field => [":authority", value];
export const api: Field = authority("api.example");

/** The fields of a GET without authority, followed by `fields`. */
export function get(path: string, ...fields: readonly Field[]): Field[] {
  return [[":method", "GET"], [":scheme", "https"], [":path", path], ...fields];
}
