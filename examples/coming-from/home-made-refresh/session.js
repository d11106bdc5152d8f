/** The session of the user: tokens in localStorage, one refresh at a time, one repetition after a 401. */
export function createSession({ id, api }) {
  let refreshing = null;

  const read = () => JSON.parse(localStorage.getItem("tokens") ?? "null");
  const keep = (tokens) => localStorage.setItem("tokens", JSON.stringify(tokens));

  async function post(path, body) {
    const headers = { "content-type": "application/json" };
    return await fetch(id + path, { method: "POST", headers, body: JSON.stringify(body) });
  }

  async function refresh() {
    const response = await post("/auth/refresh", { refresh_token: read().refresh_token });
    if (!response.ok) {
      localStorage.removeItem("tokens");
      throw new Error("Please log in again.");
    }
    keep(await response.json());
  }

  const send = async (path) =>
    await fetch(api + path, { headers: { authorization: `Bearer ${read()?.access_token}` } });

  return {
    async login(username, password) {
      const response = await post("/auth/login", { username, password });
      if (!response.ok) throw new Error("The login failed.");
      keep(await response.json());
    },
    async get(path) {
      const response = await send(path);
      if (response.status !== 401 || read() === null) return response;
      refreshing ??= refresh().finally(() => (refreshing = null));
      await refreshing;
      return await send(path);
    },
    async isLoggedIn() {
      return read() !== null;
    },
    async logout() {
      await post("/auth/logout", { refresh_token: read()?.refresh_token });
      localStorage.removeItem("tokens");
    },
  };
}
