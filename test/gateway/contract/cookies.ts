import assert from "node:assert/strict";
import { test } from "node:test";
import { receivedHeader, type ProxyClient } from "./proxy-client.ts";

const NAME = "__Host-hf_at";
const page = ["Origin: https://app.example", "X-Holdfast: 1", "Sec-Fetch-Site: same-site"];

/** Tests of tokens in a cookie, which the policy names. */
export function cookieTests(visit: ProxyClient): void {
  const { get, bearer, receivedRequest } = visit;
  const carried = (claims?: Parameters<typeof bearer>[0], name = NAME) =>
    `Cookie: theme=dark; ${name}=${bearer(claims).replace(/^Authorization: Bearer /i, "")}; last=1`;
  const change = async (...headers: string[]) =>
    (await visit.send("POST /orders/7 HTTP/1.1", ["Host: api.example", "Content-Length: 0", ...headers]))
      ?.status;

  test("a safe request may have its token in the cookie, among any others", async () => {
    assert.equal((await get("/orders/7", carried()))?.status, 200);
    assert.equal(receivedHeader(receivedRequest(), "x-auth-subject"), "alice");
    assert.equal((await get("/orders/7", carried(), page[0] ?? ""))?.status, 200);
    assert.equal((await get("/orders/7", carried({}, "__Host-other")))?.status, 401);
    assert.equal((await get("/orders/7", carried({}, `x${NAME}`)))?.status, 401);
    const token = carried().replace("Cookie: ", "");
    const large = `Cookie: a=${"x".repeat(12_000)}; ${token}`;
    assert.equal((await get("/orders/7", large))?.status, 200);
  });

  test("an unsafe request needs the origin of a listed page and X-Holdfast", async () => {
    const cookie = carried({ scope: "orders:write" });
    assert.equal(await change(cookie, ...page), 200);
    for (const headers of [
      [],
      page.slice(0, 1),
      page.slice(1, 2),
      ["Origin: https://evil.example", "X-Holdfast: 1"],
    ]) {
      assert.equal(await change(cookie, ...headers), 403, headers.join());
    }
    assert.equal(
      await change(cookie, "Origin: https://app.example", "X-Holdfast: 1", "Sec-Fetch-Site: cross-site"),
      403,
    );
  });

  test("a safe request of another origin is 403, except a link that the user follows", async () => {
    assert.equal((await get("/orders/7", carried(), "Origin: https://evil.example"))?.status, 403);
    const site = "Sec-Fetch-Site: cross-site";
    assert.equal((await get("/orders/7", carried(), site, "Sec-Fetch-Mode: no-cors"))?.status, 403);
    const link = [site, "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"];
    assert.equal((await get("/orders/7", carried(), ...link))?.status, 200);
  });

  test("two cookies of the name, and another token in Authorization, are 400", async () => {
    const twice = `${carried()}; ${NAME}=planted`;
    assert.equal((await get("/orders/7", twice))?.status, 400);
    assert.equal((await get("/orders/7", twice.replace("theme=dark", `${NAME}=planted`)))?.status, 400);
    assert.equal((await get("/orders/7", carried(), bearer({ sub: "bob" })))?.status, 400);
    // A page of another subdomain can set a cookie with any value, and none of them is read as a second cookie.
    const inside = carried().replace("theme=dark", `theme="x,${NAME}=planted"`);
    assert.equal((await get("/orders/7", inside))?.status, 200);
    assert.equal(receivedHeader(receivedRequest(), "x-auth-subject"), "alice");
  });
}
