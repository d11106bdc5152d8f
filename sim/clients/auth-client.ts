import type { Clock } from "../../src/core/clock.ts";

/** The record of a session in the storage of a browser. */
export type AuthRecord = Readonly<Record<string, unknown>>;

/** The options of `createAuthClient` that a simulated browser sets. */
export interface AuthClientOptions {
  readonly baseUrl: string;
  readonly origins: readonly string[];
  readonly storage: {
    readonly persistence: "device";
    update(change: (record: AuthRecord | null) => AuthRecord | undefined): Promise<AuthRecord | null>;
  };
  readonly fetch: (input: string | URL | Request, init?: RequestInit) => Promise<Response>;
  readonly clock: Clock;
  readonly random: () => number;
}

/** The part of `AuthClient` that a simulated browser uses. */
export interface AuthClient {
  readonly state: { readonly status: "loading" | "in" | "out" };
  readonly ready: Promise<void>;
  adopt(tokens: object): Promise<void>;
  accessToken(): Promise<string>;
  logout(): Promise<void>;
}

// The client is compiled with the types of browsers, which the rest of the simulator must not see.
const module = new URL("../../src/client/index.ts", import.meta.url).href;
const client = (await import(module)) as { createAuthClient(options: AuthClientOptions): AuthClient };

/** `createAuthClient` of `holdfast/client`. */
export function createAuthClient(options: AuthClientOptions): AuthClient {
  return client.createAuthClient(options);
}
