import assert from "node:assert/strict";
import type { Mint } from "../../../src/testing/index.ts";
import type { ReceivedRequest } from "../application.ts";
import type { Certificate } from "../certificate.ts";
import type { GuardedSite } from "../guarded-site.ts";
import { fieldsOf, sendHttp2, type Field, type Http2Request } from "../http2-client.ts";
import type { ProxyName } from "../proxies.ts";
import { sendLines, type RawResponse } from "../raw-client.ts";

export const identityHeaders: readonly string[] = ["subject", "scopes", "session", "issuer", "degraded"].map(
  (name) => `x-auth-${name}`,
);

/** The value of an identity header. A missing header and an empty one are the same to the application. */
export function receivedHeader(seen: ReceivedRequest, header: string): string {
  return (seen.headers[header] ?? []).join("|");
}

/** A client of a guarded site, with assertions. With a certificate it uses TLS and HTTP/2. */
export class ProxyClient {
  readonly proxy: ProxyName;
  readonly #site: () => GuardedSite;
  readonly #certificate: () => Certificate | undefined;

  /** `site` and `certificate` return their values while the tests run. */
  constructor(proxy: ProxyName, site: () => GuardedSite, certificate: () => Certificate | undefined) {
    this.proxy = proxy;
    this.#site = site;
    this.#certificate = certificate;
  }

  get site(): GuardedSite {
    return this.#site();
  }

  /** The certificate that the client trusts. `undefined` without TLS. */
  get ca(): string | undefined {
    return this.#certificate()?.ca;
  }

  /** The header with a token of alice, which grants orders:read. */
  readonly bearer = (claims: object = {}, mint: Mint = this.site.mint): string =>
    `Authorization: Bearer ${mint.token({ sub: "alice", sid: "s1", scope: "orders:read a", ...claims })}`;

  readonly bearerField = (claims: object = {}): Field => [
    "authorization",
    this.bearer(claims).slice("Authorization: ".length),
  ];

  readonly get = async (target: string, ...headers: string[]): Promise<RawResponse | null> =>
    await this.send(`GET ${target} HTTP/1.1`, ["Host: api.example", ...headers]);

  /** Sends these lines, or the same request in HTTP/2. */
  readonly send = async (
    requestLine: string,
    headers: readonly string[],
    body?: string,
  ): Promise<RawResponse | null> => {
    if (this.ca === undefined) return await sendLines(this.site.port, requestLine, headers, body);
    return await this.sendHttp2({ fields: fieldsOf(requestLine, headers), body });
  };

  readonly sendHttp2 = async (request: Http2Request): Promise<RawResponse | null> =>
    await sendHttp2(this.site.port, this.ca ?? "", request);

  /** Returns the only request that the application received. */
  readonly receivedRequest = (): ReceivedRequest => {
    assert.equal(this.site.application.requests.length, 1);
    return this.site.application.requests[0]!;
  };

  /** Asserts one of these statuses or a closed connection, and that the application received no request. */
  readonly assertDenied = (response: RawResponse | null, ...statuses: number[]): void => {
    const isExpected = response === null || statuses.includes(response.status);
    assert.ok(isExpected, `${response?.status}: ${response?.body}`);
    assert.deepEqual(this.site.application.requests, []);
  };
}
