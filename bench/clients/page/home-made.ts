import { run } from "./peer.ts";

// The client of the tutorials: tokens in localStorage, a timer that refreshes before the expiry, and one repetition after
// a 401. A refresh that fails logs the user out.
interface Tokens {
  accessToken: string;
  refreshToken: string;
  expiresIn: number;
}

const stored = () =>
  JSON.parse(localStorage.getItem("tokens") ?? "null") as (Tokens & { user: string }) | null;
let timer: ReturnType<typeof setTimeout> | undefined;

async function post(path: string, body: object): Promise<Response> {
  const headers = { "Content-Type": "application/json" };
  return await fetch(origins.auth + path, { method: "POST", headers, body: JSON.stringify(body) });
}

function keep(tokens: Tokens, user: string): void {
  localStorage.setItem("tokens", JSON.stringify({ ...tokens, user }));
  clearTimeout(timer);
  timer = setTimeout(() => void refresh().catch(() => {}), (tokens.expiresIn - 60) * 1000);
}

async function refresh(): Promise<string> {
  const tokens = stored();
  if (tokens === null) throw new Error("not logged in");
  try {
    const response = await post("/refresh", { refreshToken: tokens.refreshToken });
    if (!response.ok) throw new Error(`refresh failed: ${response.status}`);
    const fresh = (await response.json()) as Tokens;
    keep(fresh, tokens.user);
    return fresh.accessToken;
  } catch (error) {
    forget();
    throw error;
  }
}

function forget(): void {
  clearTimeout(timer);
  localStorage.removeItem("tokens");
}

const send = async (url: string, token: string | undefined) =>
  await fetch(url, { headers: { Authorization: `Bearer ${token}` } });

run({
  hasTokens: true,
  hasFetch: true,
  async start() {
    const tokens = stored();
    if (tokens !== null) keep(tokens, tokens.user);
  },
  async login(username) {
    const response = await post("/login", { username, password: "secret" });
    keep((await response.json()) as Tokens, username);
  },
  user: async () => stored()?.user ?? null,
  async call(url) {
    const response = await send(url, stored()?.accessToken);
    return response.status === 401 ? await send(url, await refresh()) : response;
  },
  async logout() {
    const refreshToken = stored()?.refreshToken;
    await post("/logout", { refreshToken });
    forget();
  },
});
