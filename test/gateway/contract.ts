import { after, before, beforeEach, describe } from "node:test";
import { Certificate, noOpenssl } from "./certificate.ts";
import { answerTests } from "./contract/answers.ts";
import { cookieTests } from "./contract/cookies.ts";
import { forgedHeaderTests } from "./contract/forged-headers.ts";
import { http1Tests } from "./contract/http1-requests.ts";
import { http2HeaderTests } from "./contract/http2-requests.ts";
import { http2StreamTests } from "./contract/http2-streams.ts";
import { oddRequestTests } from "./contract/ambiguous-requests.ts";
import { outageTests } from "./contract/outages.ts";
import { ProxyClient } from "./contract/proxy-client.ts";
import { startGuardedSite, type GuardedSite } from "./guarded-site.ts";
import { isMissing, type ProxyName } from "./proxies.ts";

/** The tests that every proxy must pass with its configuration in ops/, for clients of HTTP/1.1 and HTTP/2. */
export function proxyContract(name: ProxyName): void {
  describe(name, { skip: isMissing(name) }, () => {
    const visit = visitTo(name);
    answerTests(visit);
    cookieTests(visit);
    outageTests(visit);
    forgedHeaderTests(visit);
    oddRequestTests(visit);
    http1Tests(visit);
  });
  describe(`${name} with TLS and HTTP/2`, { skip: isMissing(name) || noOpenssl }, () => {
    const visit = visitTo(name, () => new Certificate());
    answerTests(visit);
    cookieTests(visit);
    forgedHeaderTests(visit);
    oddRequestTests(visit);
    http2HeaderTests(visit);
    http2StreamTests(visit);
  });
}

function visitTo(name: ProxyName, makeCertificate?: () => Certificate): ProxyClient {
  let certificate: Certificate | undefined;
  let site: GuardedSite;
  before(async () => {
    certificate = makeCertificate?.();
    site = await startGuardedSite(name, certificate);
  });
  after(async () => {
    await site.stop();
    certificate?.remove();
  });
  beforeEach(() => {
    site.application.requests.length = 0;
  });
  return new ProxyClient(
    name,
    () => site,
    () => certificate,
  );
}
