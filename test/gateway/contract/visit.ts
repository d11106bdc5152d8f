import assert from "node:assert/strict";
import type { Mint } from "../../../src/testing/index.ts";
import type { Seen } from "../application.ts";
import type { GuardedSite } from "../guarded-site.ts";
import type { ProxyName } from "../proxies.ts";
import { sendLines, type RawResponse } from "../raw-client.ts";

export const identity: readonly string[] = ["subject", "scopes", "session", "issuer", "degraded"].map(
  (name) => `x-auth-${name}`,
);

/** An identity header as the application reads it: none and an empty one are the same to it. */
export function told(seen: Seen, header: string): string {
  return (seen.headers[header] ?? []).join("|");
}

/** A client of a guarded site, with what it is to expect there. */
export class Visit {
  readonly proxy: ProxyName;
  readonly #site: () => GuardedSite;

  /** `site` is there once the tests run. */
  constructor(proxy: ProxyName, site: () => GuardedSite) {
    this.proxy = proxy;
    this.#site = site;
  }

  get site(): GuardedSite {
    return this.#site();
  }

  /** The header with a token of alice, who may read orders. */
  readonly bearer = (claims: object = {}, mint: Mint = this.site.mint): string =>
    `Authorization: Bearer ${mint.token({ sub: "alice", sid: "s1", scope: "orders:read a", ...claims })}`;

  readonly get = async (target: string, ...headers: string[]): Promise<RawResponse | null> =>
    await sendLines(this.site.port, `GET ${target} HTTP/1.1`, ["Host: api.example", ...headers]);

  /** The only request that the application saw. */
  readonly reached = (): Seen => {
    assert.equal(this.site.application.seen.length, 1);
    return this.site.application.seen[0]!;
  };

  /** One of these, or a closed connection; and the application saw nothing. */
  readonly denied = (response: RawResponse | null, ...statuses: number[]): void => {
    const isExpected = response === null || statuses.includes(response.status);
    assert.ok(isExpected, `${response?.status}: ${response?.body}`);
    assert.deepEqual(this.site.application.seen, []);
  };
}
