import { LISTENER_TOKEN_HEADER } from "../wire.ts";
import type { SignedIn, WireError } from "../wire-api.ts";

/** An answer of the API that is an error, with words for the operator. */
class ApiError extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, { error, error_description: text }: Partial<WireError>) {
    super(text ?? `The service answers ${status}.`);
    this.name = "ApiError";
    this.status = status;
    this.code = error ?? "";
  }
}

/** The tokens of the page. They are in its memory only, so a reload forgets them. */
interface Tokens {
  listener: string | null;
  session: { accessToken: string; expiresAt: number; refreshToken: string | null; subject: string } | null;
}

/** An access token is renewed this long before it expires. */
const RENEW_MS = 30_000;

export interface Api {
  readonly listenerToken: () => string | null;
  readonly setListenerToken: (token: string) => void;
  /** The user who is signed in. `null` when none is. */
  readonly subject: () => string | null;
  readonly signIn: (username: string, password: string) => Promise<void>;
  /** Takes an access token from elsewhere. The service checks it at the first use. */
  readonly useToken: (accessToken: string) => void;
  readonly signOut: () => Promise<void>;
  readonly get: <T>(path: string, query?: Readonly<Record<string, string | undefined>>) => Promise<T>;
  readonly post: <T>(path: string, body: object) => Promise<T>;
}

/** Calls the admin listener. `onChange` is called after each sign-in and sign-out. */
export function createApi(onChange: () => void): Api {
  const tokens: Tokens = { listener: null, session: null };
  let renewing: Promise<void> | null = null;

  const call = async <T>(path: string, body?: object): Promise<T> => {
    const { listener, session } = tokens;
    const response = await fetch(path, {
      ...(body !== undefined && { method: "POST", body: JSON.stringify(body) }),
      headers: {
        ...(body !== undefined && { "Content-Type": "application/json" }),
        ...(listener !== null && { [LISTENER_TOKEN_HEADER]: listener }),
        ...(session !== null && { Authorization: `Bearer ${session.accessToken}` }),
      },
      cache: "no-store",
    }).catch(() => {
      throw new ApiError(0, { error_description: "The service does not answer." });
    });
    if (response.ok) return (response.status === 204 ? undefined : await response.json()) as T;
    const error = new ApiError(response.status, (await response.json().catch(() => ({}))) as WireError);
    if (error.code === "invalid_token" && tokens.session === session) setSession(null);
    throw error;
  };
  const setSession = (session: Tokens["session"]) => {
    tokens.session = session;
    onChange();
  };
  const renew = async () => {
    const { session } = tokens;
    const refreshToken = session?.refreshToken ?? null;
    if (session === null || refreshToken === null || session.expiresAt - Date.now() > RENEW_MS) return;
    // The administrator may have signed out before the answer comes.
    const replace = (next: SignedIn | null) => {
      if (tokens.session === session) setSession(next && { ...next, subject: session.subject });
    };
    // Two requests at once must not present one refresh token twice.
    await (renewing ??= call<SignedIn>("/api/refresh", { refreshToken })
      .then(replace)
      .catch((error: unknown) => {
        // The session is over. The request that follows then says that it needs an administrator.
        if (error instanceof ApiError && [400, 401].includes(error.status)) replace(null);
        else throw error;
      })
      .finally(() => (renewing = null)));
  };
  return {
    listenerToken: () => tokens.listener,
    setListenerToken: (token) => {
      tokens.listener = token;
    },
    subject: () => tokens.session?.subject ?? null,
    signIn: async (username, password) => {
      const session = await call<SignedIn>("/api/login", { username, password });
      // The administrator knows the name better than the subject.
      setSession({ ...session, subject: username });
    },
    useToken: (accessToken) => {
      setSession({ accessToken, expiresAt: Infinity, refreshToken: null, subject: subjectOf(accessToken) });
    },
    signOut: async () => {
      const refreshToken = tokens.session?.refreshToken ?? null;
      setSession(null);
      if (refreshToken !== null) await call("/api/logout", { refreshToken });
    },
    get: async (path, query = {}) => {
      await renew();
      const given = Object.entries(query).filter((entry): entry is [string, string] => !!entry[1]);
      const search = given.length === 0 ? "" : `?${String(new URLSearchParams(given))}`;
      return await call(`${path}${search}`);
    },
    post: async (path, body) => {
      await renew();
      return await call(path, body);
    },
  };
}

/** The subject in an access token, for display. The service alone decides what the token is worth. */
function subjectOf(accessToken: string): string {
  try {
    const payload = accessToken.split(".")[1] ?? "";
    const { sub } = JSON.parse(atob(payload.replaceAll("-", "+").replaceAll("_", "/"))) as { sub?: unknown };
    return typeof sub === "string" ? sub : "a pasted token";
  } catch {
    return "a pasted token";
  }
}
