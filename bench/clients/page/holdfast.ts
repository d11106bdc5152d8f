import { createAuthClient } from "../../../src/client/index.ts";
import { run } from "./peer.ts";

const auth = createAuthClient({ baseUrl: origins.auth, origins: [origins.api] });

run({
  hasTokens: true,
  hasFetch: true,
  start: async () => await auth.ready,
  login: async (username) => await auth.login({ username, password: "secret" }),
  user: async () => (auth.state.status === "in" ? auth.state.subject : null),
  call: async (url) => await auth.fetch(url),
  logout: async () => await auth.logout(),
});
