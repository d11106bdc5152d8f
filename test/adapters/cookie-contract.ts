import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { RequestRules } from "../../src/adapters/http/token-from.ts";
import { adapterContract, assertRefused, setUp, type Framework, type Handle } from "./http-contract.ts";
import { bearer } from "./http-client.ts";
import { optionalContract } from "./optional-contract.ts";

const PAGE = "https://app.example.com";
const NAME = "__Host-hf_at";
const rules: RequestRules = {
  tokenFrom: { cookie: { name: NAME, origins: [PAGE, "capacitor://localhost"] } },
};
const greet: Handle = ({ subject }) => `hello ${subject}`;
const cookie = (token: string, name = NAME) => ["Cookie", `theme=dark; ${name}=${token}`] as const;
const unsafe = [
  ["Origin", PAGE],
  ["X-Holdfast", "1"],
] as const;

/** All tests that `protect` passes on every framework. */
export function testProtect(framework: Framework): void {
  adapterContract(framework);
  describe(`optional and challenge of protect on ${framework.name}`, () => optionalContract(framework));
  describe(`tokenFrom of protect on ${framework.name}`, () => cookieContract(framework));
}

/** The tests of tokens in cookies and in other headers. */
function cookieContract(framework: Framework): void {
  test("a safe request may have its token in the cookie, and only where the route says so", async (t) => {
    const { provider, guard } = await setUp(t);
    const send = await framework.serve(t, guard, [rules], greet);
    const headers = [cookie(provider.token({ sub: "alice" }))];
    assert.equal((await send({ headers })).body, "hello alice");
    assert.equal((await send({ headers: [...headers, ["Sec-Fetch-Site", "same-origin"]] })).status, 200);
    assert.equal((await send({ headers: [...headers, ["Origin", "capacitor://localhost"]] })).status, 200);
    assertRefused(await send({ headers: [cookie("nonsense")] }), 401, "invalid_token");
    assertRefused(await send({ headers: [cookie("x", "__Host-other")] }), 401, "unauthorized");
    const plain = await framework.serve(t, guard, [{}], greet);
    assertRefused(await plain({ headers }), 401, "unauthorized");
  });

  test("an unsafe request with a cookie needs a listed origin and X-Holdfast: 1", async (t) => {
    const { provider, guard } = await setUp(t);
    const send = await framework.serve(t, guard, [rules], greet);
    const carried = cookie(provider.token({ sub: "alice" }));
    const change = async (...headers: (readonly [string, string])[]) =>
      await send({ method: "DELETE", headers: [carried, ...headers] });
    assert.equal((await change(...unsafe)).body, "hello alice");
    const [origin, flag] = unsafe;
    for (const headers of [
      [],
      [origin],
      [flag],
      [["Origin", "https://evil.example"], flag],
      [["Origin", "null"], flag],
      [["Origin", `${PAGE}.evil.example`], flag],
      [origin, ["Origin", PAGE], flag],
      [origin, ["X-Holdfast", "0"]],
      [origin, flag, ["X-Holdfast", "1"]],
      [...unsafe, ["Sec-Fetch-Site", "cross-site"]],
    ] as const) {
      assertRefused(await change(...headers), 403, "origin_not_allowed");
    }
  });

  test("a safe request of another origin is refused, except a link that the user follows", async (t) => {
    const { provider, guard } = await setUp(t);
    const send = await framework.serve(t, guard, [rules], greet);
    const carried = cookie(provider.token({ sub: "alice" }));
    const site = ["Sec-Fetch-Site", "cross-site"] as const;
    const link = [site, ["Sec-Fetch-Mode", "navigate"], ["Sec-Fetch-Dest", "document"]] as const;
    assertRefused(
      await send({ headers: [carried, ["Origin", "https://evil.example"]] }),
      403,
      "origin_not_allowed",
    );
    assertRefused(await send({ headers: [carried, site] }), 403, "origin_not_allowed");
    assert.equal((await send({ headers: [carried, ...link] })).status, 200);
    assertRefused(await send({ method: "DELETE", headers: [carried, ...link] }), 403, "origin_not_allowed");
  });

  test("Authorization needs no origin, and contradicts another token in the cookie", async (t) => {
    const { provider, guard } = await setUp(t);
    const send = await framework.serve(t, guard, [rules], greet);
    const token = provider.token({ sub: "alice" });
    const foreign = ["Origin", "https://evil.example"] as const;
    const same = await send({ method: "DELETE", headers: [bearer(token), cookie(token), foreign] });
    assert.equal(same.body, "hello alice");
    const other = [bearer(token), cookie(provider.token({ sub: "bob" })), ...unsafe];
    assertRefused(await send({ method: "DELETE", headers: other }), 400, "invalid_request");
    assertRefused(await send({ headers: [bearer("a b"), cookie(token)] }), 400, "invalid_request");
  });

  test("two cookies of the name and a malformed value are 400", async (t) => {
    const { provider, guard } = await setUp(t);
    const send = await framework.serve(t, guard, [rules], greet);
    const token = provider.token({ sub: "alice" });
    for (const headers of [
      [["Cookie", `${NAME}=${token}; ${NAME}=${token}`]],
      [
        ["Cookie", `${NAME}=${token}`],
        ["Cookie", `${NAME}=x`],
      ],
      [["Cookie", `${NAME}="${token}"`]],
      [["Cookie", `${NAME}=`]],
    ] as const) {
      assertRefused(await send({ headers }), 400, "invalid_request");
    }
  });

  test("a token can come in another header, with another scheme or with none", async (t) => {
    const { provider, guard } = await setUp(t);
    const token = provider.token({ sub: "alice" });
    const bare = await framework.serve(t, guard, [{ tokenFrom: { header: "X-Token", scheme: "" } }], greet);
    assert.equal((await bare({ headers: [["x-token", token]] })).body, "hello alice");
    assertRefused(
      await bare({
        headers: [
          ["X-Token", token],
          ["X-Token", token],
        ],
      }),
      400,
      "invalid_request",
    );
    assertRefused(await bare({ headers: [["X-Token", `Bearer ${token}`]] }), 400, "invalid_request");
    assertRefused(await bare({ headers: [bearer(token)] }), 401, "unauthorized");
    const named = await framework.serve(t, guard, [{ tokenFrom: { scheme: "Token" } }], greet);
    assert.equal((await named({ headers: [["Authorization", `token ${token}`]] })).body, "hello alice");
    assertRefused(await named({ headers: [bearer(token)] }), 401, "unauthorized");
    assertRefused(await named({ headers: [["Authorization", `Token\t${token}`]] }), 400, "invalid_request");
  });

  test("tokenFrom is checked at creation, by name", () => {
    const wrong: [tokenFrom: unknown, message: RegExp][] = [
      [{ cookies: {} }, /tokenFrom has no option "cookies"/],
      [{ cookie: { name: NAME } }, /tokenFrom.cookie: origins must be an array of origins/],
      [{ cookie: { name: "a b", origins: [PAGE] } }, /tokenFrom.cookie: name must be the name of a cookie/],
      [{ cookie: { name: NAME, origins: ["https://*.example.com"] } }, /without wildcards/],
      [{ header: "a b" }, /tokenFrom: header must be the name of a header/],
      [{ scheme: 7 }, /tokenFrom: scheme must be an authentication scheme/],
    ];
    for (const [tokenFrom, message] of wrong) {
      const create = () =>
        framework.protect({ authorize: () => assert.fail() }, { tokenFrom } as RequestRules);
      assert.throws(create, { code: "invalid_option", message });
    }
  });
}
