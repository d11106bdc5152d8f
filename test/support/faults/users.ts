import type { Provider } from "../../../src/testing/index.ts";
import { login, post, refresh, type Tokens } from "../auth-calls.ts";
import { RECENT_PATH, type Deployment } from "./deployment.ts";

/** A proxy answers sooner, whatever fails. */
const REQUEST_TIMEOUT_MS = 8000;

/** What users ask for. */
export const kinds = ["login", "refresh", "ownTokens", "providerTokens"] as const;
export type Kind = (typeof kinds)[number];

/** The ways into a deployment. */
export interface Entrance {
  /** The address of logins and refreshes. */
  readonly authUrl: string;
  /** Asks for a path of the application with a token. The status is 200 when the request passes. */
  readonly request: (path: string, token: string) => Promise<Response>;
}

/** An entrance without a proxy: the test asks the gateway as a proxy does. */
export function directEntrance({ issuer, gateway }: Pick<Deployment, "issuer" | "gateway">): Entrance {
  return {
    authUrl: issuer.url,
    async request(path, token) {
      return await get(`${gateway.url}/verify/caddy`, token, {
        "x-forwarded-method": "GET",
        "x-forwarded-host": "app.example",
        "x-forwarded-uri": path,
      });
    },
  };
}

/** Users of a deployment, who keep one session. */
export class Users {
  readonly #entrance: Entrance;
  readonly #provider: Provider;
  #tokens: Tokens;
  #rounds = 0;

  private constructor(entrance: Entrance, provider: Provider, tokens: Tokens) {
    this.#entrance = entrance;
    this.#provider = provider;
    this.#tokens = tokens;
  }

  static async logIn(entrance: Entrance, provider: Provider): Promise<Users> {
    return new Users(entrance, provider, await login(entrance.authUrl));
  }

  /** Makes one request of each kind at the same time. Returns which of them got what they asked for. */
  async askAll(): Promise<Record<Kind, boolean>> {
    const { authUrl, request } = this.#entrance;
    const credentials = { username: "alice", password: "correct horse battery" };
    const { access_token: own } = this.#tokens;
    const foreign = this.#provider.token({ jti: `round-${this.#rounds++}` });
    const [loggedIn, refreshed, ownTokens, providerTokens] = await Promise.all([
      passes(async () => await post(authUrl, "/auth/login", credentials)),
      passes(async () => await this.#refresh()),
      passes(async () => await request(RECENT_PATH, own)),
      passes(async () => await request("/", foreign)),
    ]);
    return { login: loggedIn, refresh: refreshed, ownTokens, providerTokens };
  }

  async #refresh(): Promise<Response> {
    const response = await refresh(this.#entrance.authUrl, this.#tokens.refresh_token);
    if (response.status === 200) this.#tokens = (await response.clone().json()) as Tokens;
    return response;
  }
}

/** A GET request with a token. It is given up after some seconds. */
export async function get(
  url: string,
  token: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  const signal = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
  return await fetch(url, { headers: { ...headers, authorization: `Bearer ${token}` }, signal });
}

async function passes(work: () => Promise<Response>): Promise<boolean> {
  try {
    const response = await work();
    await response.arrayBuffer();
    return response.status === 200;
  } catch {
    return false;
  }
}
