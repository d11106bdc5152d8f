import type { Field } from "../http2-client.ts";

export const authority = (value: string): Field => [":authority", value];
export const api: Field = authority("api.example");

/** A GET without authority, before these. */
export function get(path: string, ...fields: readonly Field[]): Field[] {
  return [[":method", "GET"], [":scheme", "https"], [":path", path], ...fields];
}
