import type {
  ActionAnswer,
  AuditAnswer,
  Explanation,
  SessionRow,
  SessionsAnswer,
  SettingsAnswer,
  SignedIn,
  UsersAnswer,
} from "../../src/dashboard/wire-api.ts";
import type { AuditRow } from "../../src/dashboard/wire-state.ts";
import type { Situation } from "./fixed-state.ts";
import { AT } from "./fixed-well-state.ts";

const DAY = 86_400_000;

const row: AuditRow = {
  at: AT - 5_000,
  kind: "login",
  subject: "user-1",
  session: "session-1",
  source: "192.0.2.1",
  actor: null,
  detail: null,
};

const audit: AuditAnswer = {
  events: [
    row,
    { ...row, kind: "refresh_reuse", detail: "generation 3" },
    { ...row, kind: "session_ended", subject: null, session: null, source: null, actor: "admin-1" },
  ],
  searched: 1_000,
  hasMore: true,
  kinds: ["login", "refresh_reuse", "session_ended"],
};

const setting = {
  name: "",
  form: "a text",
  value: "x",
  isSecret: false,
  source: "default",
  otherwise: null,
} as const;

const settings: SettingsAnswer = {
  settings: [
    { ...setting, name: "HOLDFAST_AUDIENCE", value: "https://api.example", source: "environment" },
    { ...setting, name: "HOLDFAST_SECRET", value: "sha256:abc", isSecret: true, source: "file" },
    { ...setting, name: "HOLDFAST_LOG_LEVEL", value: "info" },
    {
      ...setting,
      name: "HOLDFAST_AUTHORITY_URL",
      value: null,
      source: "unset",
      otherwise: "no authority is asked",
    },
    { ...setting, name: "HOLDFAST_NAME", value: null, isSecret: true, source: "unset" },
  ],
};

const users: UsersAnswer = {
  users: [
    { username: "ada", subject: "user-1", scopes: ["read", "write"], createdAt: AT - DAY, disabledAt: null },
    { username: "bob", subject: "user-2", scopes: [], createdAt: AT - 2 * DAY, disabledAt: AT },
  ],
  next: "bob",
};

const session: SessionRow = {
  id: "session-1",
  subject: "user-1",
  client: "web",
  scopes: ["read"],
  device: "Firefox on Linux",
  deviceName: "Ada's laptop",
  address: "192.0.2.1",
  startedAt: AT - DAY,
  lastUsedAt: AT - 90_000,
  expiresAt: AT + DAY,
  refreshes: 1_200,
  streak: 2,
};

const sessions: SessionsAnswer = {
  subject: "user-1",
  sessions: [
    session,
    { ...session, id: "session-2", deviceName: null, address: null },
    { ...session, id: "session-3", deviceName: null, device: null },
  ],
  unreadable: ["session-4"],
  next: "session-4",
};

const explanation: Explanation = {
  status: "invalid",
  text: "The token is invalid: it has expired.",
  reason: "expired",
  kind: "jwt",
  header: { alg: "ES256" },
  claims: { sub: "user-1", exp: 1_768_000_000 },
  checks: [
    { name: "signature", outcome: "pass", words: "key own-1" },
    { name: "expiry", outcome: "fail", words: "it expired 2 h ago" },
    { name: "revocation", outcome: "unknown", words: "was not checked" },
  ],
  times: [{ claim: "exp", at: AT - 7_200_000, words: "2 h ago" }],
};

const signedIn: SignedIn = {
  accessToken: "access",
  expiresAt: AT + 3_600_000,
  refreshToken: "refresh",
  subject: "user-1",
};

/** The answer to an action. `dryRun`: the page asks for its effect only. */
export function fixedEffect(situation: Situation, dryRun: boolean): ActionAnswer | string {
  if (situation === "ailing" && !dryRun) return "The store does not answer.";
  const verb = dryRun ? "ends" : "ended";
  return {
    done: !dryRun,
    effect: `${verb} the session of user-1`,
    audited: dryRun ? null : situation === "well",
  };
}

/** The answers of the service to the page, by path. A text is the description of an error. */
export const fixedAnswers: Readonly<Record<Situation, Readonly<Record<string, object | string>>>> = {
  well: {
    "/api/audit": audit,
    "/api/settings": settings,
    "/api/users": users,
    "/api/sessions": sessions,
    "/api/explain": explanation,
    "/api/login": signedIn,
  },
  ailing: {
    "/api/audit": "The store does not answer.",
    "/api/settings": "The listener is busy.",
    "/api/users": "The store does not answer.",
    "/api/sessions": "There is no such user.",
    "/api/explain": "The text is no token.",
    "/api/login": "The name or the password is wrong.",
  },
  empty: {
    "/api/audit": { events: [], searched: 1, hasMore: false, kinds: [] } satisfies AuditAnswer,
    "/api/settings": { settings: settings.settings.slice(2) } satisfies SettingsAnswer,
    "/api/users": { users: [], next: null } satisfies UsersAnswer,
    "/api/sessions": { subject: null, sessions: [], unreadable: [], next: null } satisfies SessionsAnswer,
    "/api/explain": {
      ...explanation,
      status: "valid",
      text: "The token is valid.",
      reason: null,
      kind: "opaque",
      header: null,
      claims: null,
      checks: [],
      times: [],
    } satisfies Explanation,
  },
};
