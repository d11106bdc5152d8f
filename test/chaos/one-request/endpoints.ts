/** The sessions of the requests, because some requests end theirs. */
export type SessionName = "administrator" | "refreshed" | "ended";

/** One endpoint of the service, and what a request needs so that it gets as far as it can. */
export interface Endpoint {
  readonly listener: "public" | "admin";
  readonly method: string;
  /** The path, with a parameter such as `:id` for each segment that stands for any text. */
  readonly path: string;
  /** The usual values of the parameters of the path. */
  readonly segments: Readonly<Record<string, string>>;
  /** The parameters of the query that the endpoint reads, with usual values. */
  readonly query: Readonly<Record<string, string>>;
  readonly body: "json" | "form" | "none";
  /** The members or parameters of the body that the endpoint reads, with usual values. */
  readonly members: Readonly<Record<string, unknown>>;
  readonly credentials: "bearer" | "provider" | "basic" | "cookies" | "none";
  readonly session: SessionName;
  /** Whether the answer goes on until the client leaves. */
  readonly isStream: boolean;
  /** The status of the answer to the usual request. `"2xx"` is any success. */
  readonly usualStatus: "2xx" | "400" | "404" | "409";
}

type Details = Partial<Omit<Endpoint, "method" | "path">>;

/** Stand for tokens and the id of the session of the endpoint, and for the issuer of the provider's tokens. */
export const placeholders = {
  refreshToken: "{refresh token}",
  accessToken: "{access token}",
  session: "{session}",
  provider: "{provider}",
} as const;

/** Users beside the administrator. The requests log the first one in, and change or remove the others. */
export const users = { loggedIn: "carol", ended: "bob", changed: "dave", removed: "erin" } as const;
export const PASSWORD = "correct horse battery";

function endpoint(method: string, path: string, details: Details = {}): Endpoint {
  return {
    listener: "public",
    method,
    path,
    segments: {},
    query: {},
    body: "none",
    members: {},
    credentials: "none",
    session: "administrator",
    isStream: false,
    usualStatus: "2xx",
    ...details,
  };
}

const json = (members: Endpoint["members"], details: Details = {}): Details => ({
  body: "json",
  members,
  ...details,
});
const form = (members: Endpoint["members"], details: Details = {}): Details => ({
  body: "form",
  members,
  ...details,
});

const bearer = { credentials: "bearer" } as const;
const basic = { credentials: "basic" } as const;
const cookies = { credentials: "cookies" } as const;
const ended = { session: "ended" } as const;
const missing = { usualStatus: "404" } as const;
const presented = { refresh_token: placeholders.refreshToken };
const page = { after: "0.a", limit: "500" };

/** The clients of the service, and the scopes and the audience of their tokens. */
export const AUDIENCE = "https://api.example.com";
export const SCOPES = "a b";
export const clients = { orders: "the secret of orders", sync: "the secret of sync" } as const;
const client = { client_id: "sync", client_secret: clients.sync };

const sessionEndpoints: readonly Endpoint[] = [
  endpoint(
    "POST",
    "/auth/login",
    json({
      username: users.loggedIn,
      password: PASSWORD,
      device_name: "a",
      remember: false,
      resource: AUDIENCE,
    }),
  ),
  endpoint("POST", "/auth/refresh", json({ ...presented, resource: AUDIENCE }, { session: "refreshed" })),
  endpoint("POST", "/auth/refresh/ack", json(presented, ended)),
  endpoint("POST", "/auth/logout", json(presented, ended)),
  endpoint("POST", "/auth/logout-all", json(presented, ended)),
  endpoint(
    "POST",
    "/auth/password",
    json({ current_password: "a", new_password: PASSWORD }, { ...bearer, ...ended }),
  ),
  endpoint("GET", "/auth/sessions", { ...bearer, query: page }),
  endpoint("DELETE", "/auth/sessions/:id", { ...bearer, ...ended, segments: { id: placeholders.session } }),
  endpoint("GET", "/admin/sessions", { ...bearer, query: { subject: "a", username: "", ...page } }),
  endpoint("DELETE", "/admin/sessions", { ...bearer, query: { subject: "", username: users.changed } }),
  endpoint("DELETE", "/admin/sessions/:id", { ...bearer, segments: { id: "a" }, ...missing }),
  endpoint("GET", "/admin/users", { ...bearer, query: { after: "a", limit: "100" } }),
  endpoint(
    "POST",
    "/admin/users",
    json({ username: users.changed, password: PASSWORD, scope: SCOPES }, { ...bearer, usualStatus: "409" }),
  ),
  endpoint("GET", "/admin/users/:name", { ...bearer, segments: { name: users.changed } }),
  endpoint(
    "PATCH",
    "/admin/users/:name",
    json(
      { scope: "a", password: PASSWORD, disabled: false },
      { ...bearer, segments: { name: users.changed } },
    ),
  ),
  endpoint("DELETE", "/admin/users/:name", { ...bearer, segments: { name: users.removed } }),
];

/** In cookie mode, the tokens are in cookies and not in `Authorization` or the body. */
function inCookies(at: Endpoint): Endpoint {
  const { refresh_token: _, ...members } = at.members;
  // The usual request has removed the user before, with `Authorization`.
  const isGone = at.segments["name"] === users.removed;
  return { ...at, members, ...cookies, ...(isGone && missing) };
}

export const endpoints: readonly Endpoint[] = [
  ...sessionEndpoints,
  ...sessionEndpoints.map(inCookies),
  endpoint("POST", "/auth/validate", json({ token: placeholders.accessToken }, basic)),
  endpoint("GET", "/auth/revocations", { ...basic, query: { after: "0", epoch: "a" } }),
  endpoint(
    "POST",
    "/oauth/token",
    form(
      { grant_type: "refresh_token", ...presented, scope: "a", resource: AUDIENCE, acknowledge: "false" },
      { session: "refreshed" },
    ),
  ),
  endpoint("POST", "/oauth/token", form({ grant_type: "client_credentials", scope: "a" }, basic)),
  endpoint("POST", "/oauth/token", form({ grant_type: "client_credentials", ...client })),
  endpoint("POST", "/oauth/introspect", form({ token: placeholders.accessToken }, basic)),
  endpoint("POST", "/oauth/introspect", form({ token: placeholders.refreshToken, ...client })),
  endpoint(
    "POST",
    "/oauth/revoke",
    form({ token: placeholders.refreshToken, token_type_hint: "refresh_token" }, ended),
  ),
  endpoint("POST", "/oauth/revoke", form({ token: placeholders.accessToken, ...client }, ended)),
  endpoint("GET", "/.well-known/jwks.json"),
  endpoint("GET", "/.well-known/oauth-authorization-server"),
  endpoint("GET", "/health/live"),
  endpoint("GET", "/health/ready", { query: { role: "issuer" } }),
  ...["nginx", "caddy", "haproxy", "traefik"].map((name) => endpoint("GET", `/verify/${name}`, bearer)),
  endpoint("POST", "/verify/envoy/orders/1", bearer),
  endpoint("GET", "/verify/nginx", cookies),
  endpoint("GET", "/verify/caddy", { credentials: "provider" }),
  endpoint("GET", "/elsewhere", missing),
  ...[
    "/health",
    "/cache/health",
    "/metrics",
    "/",
    "/dashboard.js",
    "/dashboard.css",
    "/dashboard-licences.txt",
  ].map((path) => endpoint("GET", path, { listener: "admin" })),
  endpoint("GET", "/", { listener: "admin", query: { plain: "" } }),
  endpoint("GET", "/events", { listener: "admin", isStream: true }),
  endpoint("GET", "/api/settings", { listener: "admin" }),
  endpoint("GET", "/api/audit", {
    listener: "admin",
    query: { kind: "login", subject: "a", session: "a", text: "a", limit: "500" },
  }),
  endpoint("GET", "/api/users", { ...bearer, listener: "admin", query: { after: "a", limit: "500" } }),
  endpoint("GET", "/api/sessions", {
    ...bearer,
    listener: "admin",
    query: { subject: "a", username: "", session: "", ...page },
  }),
  endpoint(
    "POST",
    "/api/actions",
    json({ action: "end-session", session: "a", dryRun: true }, { ...bearer, listener: "admin" }),
  ),
  endpoint("POST", "/api/explain", json({ token: placeholders.accessToken }, { listener: "admin" })),
  endpoint("POST", "/api/login", json({ username: "alice", password: PASSWORD }, { listener: "admin" })),
  // A strange token is refused, and that of a user who is no administrator ends its session.
  endpoint("POST", "/api/refresh", json({ refreshToken: "a" }, { listener: "admin", usualStatus: "400" })),
  endpoint(
    "POST",
    "/api/logout",
    json({ refreshToken: placeholders.refreshToken }, { listener: "admin", ...ended }),
  ),
  endpoint("GET", "/elsewhere", { listener: "admin", ...missing }),
  endpoint("GET", "/guard/proof", { listener: "admin", query: { challenge: "a".repeat(43) } }),
  // The keys of a known issuer would stay distrusted.
  endpoint(
    "POST",
    "/guard/distrust-keys",
    json({ issuer: "a" }, { ...bearer, listener: "admin", usualStatus: "400" }),
  ),
  endpoint(
    "POST",
    "/guard/breaker",
    json({ issuer: placeholders.provider, state: "auto" }, { ...bearer, listener: "admin" }),
  ),
];
