import { Auth0Client } from "@auth0/auth0-spa-js";
import { run, withToken } from "./peer.ts";

declare const AUTH0_OPTIONS: { useRefreshTokens?: boolean; cacheLocation?: "localstorage" };

// As in the README: `checkSession` at the start, `handleRedirectCallback` after the login, `getTokenSilently` before a request.
const auth = new Auth0Client({
  domain: origins.auth,
  clientId: "bench",
  authorizationParams: { redirect_uri: `${origins.page}/` },
  ...AUTH0_OPTIONS,
});

run({
  hasTokens: true,
  hasFetch: false,
  async start() {
    if (location.search.includes("code=")) {
      await auth.handleRedirectCallback();
      history.replaceState(null, "", "/");
    } else await auth.checkSession();
  },
  login: async (name) => await auth.loginWithRedirect({ authorizationParams: { login_hint: name } }),
  user: async () => (await auth.getUser())?.sub ?? null,
  call: async (url) => await withToken(url, await auth.getTokenSilently()),
  logout: async () => await auth.logout({ logoutParams: { returnTo: `${origins.page}/` } }),
});
