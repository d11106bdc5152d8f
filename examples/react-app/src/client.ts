import { createAuthClient } from "holdfast/client";

/** The address of the service, which issues the tokens and accepts them. */
export const service = String(import.meta.env["VITE_SERVICE"]);

export const client = createAuthClient({ baseUrl: service });
