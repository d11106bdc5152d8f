import { after, before, beforeEach, describe } from "node:test";
import { answers } from "./contract/answers.ts";
import { forgedHeaders } from "./contract/forged-headers.ts";
import { oddRequests } from "./contract/odd-requests.ts";
import { outages } from "./contract/outages.ts";
import { Visit } from "./contract/visit.ts";
import { startGuardedSite, type GuardedSite } from "./guarded-site.ts";
import { isMissing, type ProxyName } from "./proxies.ts";

/** What every proxy has to keep, with its configuration in ops/. */
export function proxyContract(name: ProxyName): void {
  describe(name, { skip: isMissing(name) }, () => {
    let site: GuardedSite;
    before(async () => void (site = await startGuardedSite(name)));
    after(async () => await site.stop());
    beforeEach(() => {
      site.application.seen.length = 0;
    });
    const visit = new Visit(name, () => site);
    answers(visit);
    outages(visit);
    forgedHeaders(visit);
    oddRequests(visit);
  });
}
