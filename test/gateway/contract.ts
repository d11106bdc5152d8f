import { after, before, beforeEach, describe } from "node:test";
import { Certificate, noOpenssl } from "./certificate.ts";
import { answers } from "./contract/answers.ts";
import { forgedHeaders } from "./contract/forged-headers.ts";
import { http1Requests } from "./contract/http1-requests.ts";
import { http2Requests } from "./contract/http2-requests.ts";
import { http2Streams } from "./contract/http2-streams.ts";
import { oddRequests } from "./contract/odd-requests.ts";
import { outages } from "./contract/outages.ts";
import { Visit } from "./contract/visit.ts";
import { startGuardedSite, type GuardedSite } from "./guarded-site.ts";
import { isMissing, type ProxyName } from "./proxies.ts";

/** What every proxy has to keep, with its configuration in ops/, before clients of either kind. */
export function proxyContract(name: ProxyName): void {
  describe(name, { skip: isMissing(name) }, () => {
    const visit = visitTo(name);
    answers(visit);
    outages(visit);
    forgedHeaders(visit);
    oddRequests(visit);
    http1Requests(visit);
  });
  describe(`${name} with TLS and HTTP/2`, { skip: isMissing(name) || noOpenssl }, () => {
    const visit = visitTo(name, () => new Certificate());
    answers(visit);
    forgedHeaders(visit);
    oddRequests(visit);
    http2Requests(visit);
    http2Streams(visit);
  });
}

function visitTo(name: ProxyName, makeCertificate?: () => Certificate): Visit {
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
    site.application.seen.length = 0;
  });
  return new Visit(
    name,
    () => site,
    () => certificate,
  );
}
