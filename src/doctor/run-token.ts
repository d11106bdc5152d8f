import { readIssuerOrTenants } from "../guard/issuer-settings.ts";
import { reportSettings } from "../server/settings-report.ts";
import { loadContext } from "./context.ts";
import { warn } from "./finding.ts";
import { explainToken, type TokenExpectations, type TokenReport } from "./token/explain-token.ts";

/** The default of `clockToleranceMs`. */
const DEFAULT_TOLERANCE_MS = 5_000;

/**
 * Explains a token by the settings of this environment. `audience` replaces that of the settings.
 */
export async function runTokenDoctor(
  token: string,
  { audience, issuer }: Pick<TokenExpectations, "audience" | "issuer">,
): Promise<TokenReport> {
  const { settings, problems, given } = await reportSettings();
  if (settings === null) {
    const report = await explainToken(token, {
      providers: [],
      own: null,
      audience,
      issuer,
      hasUnreadSettings: true,
      toleranceMs: DEFAULT_TOLERANCE_MS,
    });
    const detail = `the settings were not used: ${problems.join("; ")}`;
    const advice = "run holdfast doctor, and mend them; or name the issuer of your guard with --issuer";
    return { ...report, findings: [warn(detail, advice), ...report.findings] };
  }
  const options = { write: [], rehearse: undefined, through: undefined, rules: undefined };
  const wanted = audience === undefined ? settings : { ...settings, audience };
  const { providers, identity, guardOptions } = await loadContext(wanted, given, options);
  const [own = null] = readIssuerOrTenants("the service", {
    issuer: identity.url,
    audience: identity.audience,
  }).issuers;
  const expected = settings.audience === undefined ? audience : (audience ?? [identity.audience].flat()[0]);
  const ownUrl = audience === undefined && providers.length === 0 ? settings.url : undefined;
  const { clockToleranceMs: toleranceMs = DEFAULT_TOLERANCE_MS } = guardOptions;
  return await explainToken(token, {
    providers,
    own,
    audience: expected,
    issuer,
    ownUrl,
    toleranceMs,
  });
}
