import { createContext, createElement, useCallback, useContext, useMemo, useSyncExternalStore } from "react";
import type { ReactElement, ReactNode } from "react";
import type { AuthClient, AuthState } from "./types.ts";

/** The session of the user, as a component reads it. */
export interface Auth {
  /** The state that the page shows. A component renders again when it changes. */
  readonly state: AuthState;
  /** Logs in and out, and sends requests. The object never changes. */
  readonly client: AuthClient;
}

/** Properties of `AuthProvider`. */
export interface AuthProviderProps {
  /** The client of the application, created once outside of every component. */
  readonly client: AuthClient;
  readonly children?: ReactNode;
}

const AuthContext = createContext<AuthClient | null>(null);

/** The state on a server, which has no session of the browser, and during hydration. */
const loading: AuthState = Object.freeze({ status: "loading" });

/**
 * Gives the client to all components below. It starts no request, and unmounting it ends nothing.
 *
 * @example
 * ```ts
 * import { createElement } from "react";
 * import { createAuthClient } from "holdfast/client";
 * import { AuthProvider } from "holdfast/client/react";
 *
 * const client = createAuthClient({ baseUrl: "https://id.example.com" });
 * export const page = createElement(AuthProvider, { client }, "the application");
 * ```
 */
export function AuthProvider({ client, children }: AuthProviderProps): ReactElement {
  return createElement(AuthContext.Provider, { value: client }, children);
}

/**
 * Returns the session of the user, and renders the component again when it changes. Throws an `Error` when no
 * `AuthProvider` is above the component.
 *
 * @example
 * ```ts
 * import { createElement } from "react";
 * import { useAuth } from "holdfast/client/react";
 *
 * export function Greeting() {
 *   const { state, client } = useAuth();
 *   if (state.status === "loading") return null;
 *   if (state.status === "out") return "Please log in.";
 *   return createElement("button", { onClick: () => void client.logout() }, `Log out ${state.subject}`);
 * }
 * ```
 */
export function useAuth(): Auth {
  const client = useContext(AuthContext);
  if (client === null)
    throw new Error("useAuth: the component must be inside an AuthProvider, and it is not");
  const subscribe = useCallback((listener: () => void) => client.subscribe(listener), [client]);
  const state = useSyncExternalStore(
    subscribe,
    () => client.state,
    () => loading,
  );
  return useMemo(() => ({ state, client }), [state, client]);
}
