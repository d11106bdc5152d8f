import type { JwtClaims } from "../../core/verdict.ts";
import { isTrustworthy } from "../../guard/fetch-json.ts";
import type { TrustedIssuer } from "../../guard/types.ts";
import {
  auth0,
  clerk,
  cognito,
  entra,
  firebase,
  google,
  keycloak,
  okta,
  supabase,
} from "../../providers/index.ts";
import { isNamelessServiceAccount } from "./known-mistakes.ts";

type PresetName =
  | "auth0"
  | "clerk"
  | "cognito"
  | "entra"
  | "firebase"
  | "google"
  | "keycloak"
  | "okta"
  | "supabase";

const presets: Readonly<
  Record<PresetName, (options: never) => TrustedIssuer | { issuers: TrustedIssuer[] }>
> = { auth0, clerk, cognito, entra, firebase, google, keycloak, okta, supabase };

/** A preset of `holdfast/providers` with options that fit a token. */
export interface GuessedPreset {
  readonly name: PresetName;
  /** The call, to be pasted into a program. */
  readonly code: string;
  readonly issuers: readonly TrustedIssuer[];
  /** The values in the call that the token alone names: its audience, client, origin or service account. */
  readonly taken: readonly string[];
}

type Claims = Readonly<JwtClaims>;
type Options = Readonly<Record<string, string | readonly string[]>>;

/** How a preset is known by the `iss` of its tokens. */
interface PresetPattern {
  readonly name: PresetName;
  readonly iss: RegExp;
  /** The options. `audience` is the one that the API has, or one that the token has. `expected` is the former. */
  readonly options: (
    found: Readonly<Record<string, string>>,
    audience: string,
    claims: Claims,
    expected: string | undefined,
  ) => Options;
}

/** Stands in the code where only the reader knows the value. */
export const UNKNOWN_API = "your-api";
const UNKNOWN_ACCOUNT = "your-account@your-project.iam.gserviceaccount.com";

const patterns: readonly PresetPattern[] = [
  {
    name: "keycloak",
    iss: /^(?<url>https?:\/\/.+)\/realms\/(?<realm>[^/]+)$/,
    options: ({ url = "", realm = "" }, audience) => ({
      url,
      realm,
      audience,
      ...allowHttpFor(URL.parse(url)),
    }),
  },
  {
    name: "auth0",
    iss: /^https:\/\/(?<domain>[\w.-]+\.auth0\.com)\/$/,
    options: ({ domain = "" }, audience) => ({ domain, audience }),
  },
  {
    name: "entra",
    iss: /^https:\/\/(?:login\.microsoftonline\.com|sts\.windows\.net)\/(?<tenant>[\da-f-]{36})(?:\/v2\.0|\/)$/,
    options: ({ tenant = "" }, audience, claims) => {
      const client = claims["azp"] ?? claims["appid"];
      return {
        tenant,
        clientId: audience.replace(/^api:\/\//, ""),
        ...(typeof client === "string" && client !== "" && { clients: [client] }),
      };
    },
  },
  {
    name: "okta",
    iss: /^https:\/\/(?<domain>[\w.-]+\.(?:okta|oktapreview|okta-emea)\.com)\/oauth2\/(?<server>[^/]+)$/,
    options: ({ domain = "", server = "" }, audience) => ({
      domain,
      audience,
      ...(server !== "default" && { server }),
    }),
  },
  {
    name: "cognito",
    iss: /^https:\/\/cognito-idp\.[^./]+\.amazonaws\.com(?:\.cn)?\/(?<userPoolId>[^/]+)$/,
    options: ({ userPoolId = "" }, audience, claims, expected) => ({
      userPoolId,
      clientId: expected ?? (typeof claims["client_id"] === "string" ? claims["client_id"] : audience),
    }),
  },
  {
    name: "clerk",
    iss: /^https:\/\/(?<domain>[\w.-]+\.clerk\.accounts\.dev|clerk\.[\w.-]+)$/,
    options: ({ domain = "" }, _, claims) => ({
      domain,
      origins: [typeof claims["azp"] === "string" ? claims["azp"] : "https://app.example.com"],
    }),
  },
  {
    name: "firebase",
    iss: /^https:\/\/securetoken\.google\.com\/(?<projectId>[^/]+)$/,
    options: ({ projectId = "" }) => ({ projectId }),
  },
  {
    name: "google",
    iss: /^(?:https:\/\/)?accounts\.google\.com$/,
    options: (_, audience, claims) => {
      const email = isNamelessServiceAccount(claims) ? UNKNOWN_ACCOUNT : claims["email"];
      const isAccount = typeof email === "string" && email.endsWith(".gserviceaccount.com");
      return { clientId: audience, ...(isAccount && { serviceAccounts: email }) };
    },
  },
  {
    name: "supabase",
    iss: /^(?<url>https:\/\/[\w.-]+\.supabase\.(?:co|in))\/auth\/v1$/,
    options: ({ url = "" }) => ({ url }),
  },
];

/** Finds the preset of the provider that a token names. `expected` is the audience of the API, if it is known. `null` for another provider. */
export function guessPreset(claims: Claims, expected: string | undefined): GuessedPreset | null {
  const { iss } = claims;
  if (typeof iss !== "string") return null;
  for (const { name, iss: pattern, options } of patterns) {
    const found = pattern.exec(iss);
    if (found === null) continue;
    const audience = expected ?? namedApis(claims)[0] ?? UNKNOWN_API;
    const values = options(found.groups ?? {}, audience, claims, expected);
    const issuers = callPreset(name, values);
    if (issuers === null) return null;
    return {
      name,
      code: `${name}(${formatOptions(values)})`,
      issuers,
      taken: takenFrom(claims, values, expected),
    };
  }
  return null;
}

/** The values of the options that the claims have, and that the reader did not name. */
function takenFrom(claims: Claims, options: Options, expected: string | undefined): readonly string[] {
  const named = ["aud", "azp", "appid", "client_id", "email"].flatMap((name) => claims[name]);
  const isTaken = (value: string) => named.includes(value) || named.includes(`api://${value}`);
  return Object.values(options)
    .flat()
    .filter((value) => value !== expected && isTaken(value));
}

/** Plain HTTP to this machine needs no option. */
function allowHttpFor(url: URL | null): Options {
  return url === null || isTrustworthy(url) ? {} : { allowHttp: [url.hostname] };
}

/**
 * The preset of the provider that issued the token, or `null`. Each of these providers issues access tokens, or its preset
 * accepts its ID tokens.
 */
export function presetNameOf({ iss }: Claims): PresetName | null {
  return patterns.find((one) => typeof iss === "string" && one.iss.test(iss))?.name ?? null;
}

/** The clients of every realm of Keycloak. It names them in tokens of users with their roles. */
const keycloakClients: ReadonlySet<string> = new Set(["account", "broker", "realm-management"]);

/** Whether every realm of Keycloak has a client of this name. */
export function isKeycloakClient(name: string): boolean {
  return keycloakClients.has(name);
}

/** The names in `aud` that may be an API of the reader. OpenID Connect also names the address of the user's claims. */
export function namedApis({ aud }: Claims): readonly string[] {
  const named = [aud ?? []].flat().filter((one) => typeof one === "string");
  return named.filter((one) => !isKeycloakClient(one) && !one.endsWith("/userinfo"));
}

/** `null` when the token names values that the preset does not accept. */
function callPreset(name: PresetName, options: Options): readonly TrustedIssuer[] | null {
  try {
    const made = presets[name](options as never);
    return "issuers" in made ? made.issuers : [made];
  } catch {
    return null;
  }
}

function formatOptions(options: Options): string {
  const members = Object.entries(options).map(([name, value]) => `${name}: ${JSON.stringify(value)}`);
  return `{ ${members.join(", ")} }`;
}
