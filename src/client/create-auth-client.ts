import { Client } from "./client.ts";
import type { AuthClient, AuthClientOptions } from "./types.ts";

/**
 * Creates the client that keeps a user logged in, in every tab of the browser. It reads the stored session at once. Throws
 * a `TypeError` that names the option.
 *
 * @example
 * ```ts
 * import { createAuthClient } from "holdfast/client";
 *
 * const auth = createAuthClient({ baseUrl: "https://id.example.com", origins: ["https://api.example.com"] });
 * await auth.login({ username: "ann", password: "correct horse battery" });
 * const orders = await auth.fetch("https://api.example.com/orders");
 * console.log(orders.status, auth.state.status);
 * ```
 */
export function createAuthClient(options: AuthClientOptions): AuthClient {
  return new Client(options);
}
