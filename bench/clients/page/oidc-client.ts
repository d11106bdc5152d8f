import { UserManager } from "oidc-client-ts";
import { run, withToken } from "./peer.ts";

// As in the documentation, with `offline_access`, so that the renewal uses a refresh token and no frame.
const manager = new UserManager({
  authority: `${origins.auth}/`,
  client_id: "bench",
  redirect_uri: `${origins.page}/`,
  post_logout_redirect_uri: `${origins.page}/`,
  scope: "openid profile email offline_access",
});

run({
  hasTokens: true,
  hasFetch: false,
  async start() {
    if (location.search.includes("code=")) {
      await manager.signinCallback();
      history.replaceState(null, "", "/");
    } else await manager.getUser(); // Loads the user, which starts the automatic renewal.
  },
  login: async (name) => await manager.signinRedirect({ login_hint: name }),
  async user() {
    const user = await manager.getUser(); // `isAuthenticated` of react-oidc-context is the same condition.
    return user === null || user.expired === true ? null : user.profile.sub;
  },
  call: async (url) => await withToken(url, (await manager.getUser())?.access_token),
  logout: async () => await manager.signoutRedirect(),
});
