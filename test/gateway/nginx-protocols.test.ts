import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { startGuardedGateway, type GuardedGateway } from "./guarded-site.ts";
import { isMissing, startNginx, type Proxy } from "./proxies.ts";
import { sendLines } from "./raw-client.ts";
import {
  startVariableApplication,
  type ApplicationProtocol,
  type VariableApplication,
} from "./variable-applications.ts";

const identity = ["SUBJECT", "SCOPES", "SESSION", "ISSUER", "DEGRADED"];

/** The paths of the policy, with the configuration of their locations. */
function locations(protocol: ApplicationProtocol, port: number): string {
  const pass =
    protocol === "grpc" ? `grpc_pass grpc://127.0.0.1:${port};` : `${protocol}_pass 127.0.0.1:${port};`;
  const kind = protocol === "grpc" ? "grpc_set_header" : `${protocol}_param`;
  const own =
    protocol === "grpc"
      ? `${kind} X-Own 1;`
      : `${kind} REQUEST_URI $request_uri; ${kind} REQUEST_METHOD $request_method;`;
  return `
    include ops:holdfast.conf;
    location /orders/ { ${own} include ops:holdfast-${protocol}.conf; ${pass} }
    location /open/ { ${own} include ops:holdfast-${protocol}.conf; ${pass} }
    location /orders/bare/ { ${own} ${pass} }
    location /orders/inherits/ { ${pass} }`;
}

for (const protocol of ["fastcgi", "uwsgi", "scgi", "grpc"] as const) {
  describe(`nginx with ${protocol}_pass`, { skip: isMissing("nginx") }, () => {
    let gateway: GuardedGateway;
    let application: VariableApplication;
    let proxy: Proxy;
    before(async () => {
      gateway = await startGuardedGateway();
      application = await startVariableApplication(protocol);
      // Another server reads the headers before Host by its own rules.
      const lax = `server { listen 127.0.0.1:port: default_server; underscores_in_headers on; ignore_invalid_headers off; return 404; }`;
      proxy = await startNginx(gateway.port, locations(protocol, application.port), lax);
    });
    after(async () => {
      await proxy.stop();
      await application.stop();
      await gateway.stop();
    });
    const bearer = () =>
      `Authorization: Bearer ${gateway.mint.token({ sub: "alice", sid: "s1", scope: "orders:read a" })}`;
    /** The host comes last, so that the default server reads the headers before it. */
    const get = async (path: string, ...headers: string[]) =>
      await sendLines(proxy.port, `GET ${path} HTTP/1.1`, [...headers, "Host: api.example"]);
    /** The value that the application reads. It is empty for a missing one. */
    const read = (body: string, name: string) => {
      const seen = JSON.parse(body) as Record<string, string>;
      return (protocol === "grpc" ? seen[`x-auth-${name.toLowerCase()}`] : seen[`HTTP_X_AUTH_${name}`]) ?? "";
    };

    test(`fault 77: an application behind ${protocol}_pass gets the identity`, async () => {
      const response = await get("/orders/7", bearer());
      assert.equal(response?.status, 200);
      assert.deepEqual(
        identity.map((name) => read(response.body, name)),
        ["alice", "orders%3Aread a", "s1", "https%3A%2F%2Fid.example", ""],
      );
      const anonymous = await get("/open/page", bearer());
      assert.equal(anonymous?.status, 200);
      for (const name of identity) assert.equal(read(anonymous.body, name), "");
      assert.equal((await get("/orders/7"))?.status, 401);
      assert.equal((await get("/orders/bare/7"))?.status, 401);
    });

    test(`fault 77: a location with ${protocol}_pass and no include gives no client another identity`, async () => {
      const response = await get("/orders/bare/7", bearer());
      assert.equal(response?.status, 200);
      for (const name of identity) assert.equal(read(response.body, name), "");
    });

    const forged = [
      ["X-Auth-Subject: root"],
      ["x-aUTH-subject: root"],
      ["X-Auth-Subject: 0"],
      ["X-Auth-Subject:", "X-Auth-Subject: root"],
      ["X-Auth-Subject: root", "X-Auth-Subject:"],
      ["X_Auth_Subject: root"],
      ["X-Auth_Subject: root"],
      ["X.Auth.Subject: root"],
      ["X-Auth-Scopes: staff"],
      ["X-Auth-Session: s2"],
      ["X-Auth-Issuer: https://id.example"],
      ["X-Auth-Degraded: no"],
    ];
    for (const path of ["/orders/7", "/orders/bare/7", "/orders/inherits/7", "/open/page"]) {
      test(`fault 77: nginx refuses identity headers of a client before ${protocol}_pass at ${path}`, async () => {
        for (const headers of forged) {
          const response = await get(path, ...headers, bearer());
          assert.equal(response?.status, 400, headers.join());
        }
      });
    }

    test(`fault 77: a method override does not reach an application behind ${protocol}_pass`, async () => {
      const response = await get(
        "/orders/7",
        bearer(),
        "X-HTTP-Method-Override: GET",
        "X-Original-URL: /staff",
      );
      assert.equal(response?.status, 200);
      assert.doesNotMatch(response.body, /override|original[-_]url/i);
      for (const path of ["/orders/7", "/orders/bare/7"]) {
        assert.equal((await get(path, bearer(), "X-HTTP-Method-Override: POST"))?.status, 403, path);
      }
    });

    test(`fault 77: the statuses of an application behind ${protocol}_pass pass unchanged`, async () => {
      for (const status of [400, 401, 403, 429, 500, 503]) {
        const response = await get(`/orders/${status}`, bearer());
        assert.equal(response?.status, status);
        assert.equal(response.headers.get("retry-after"), undefined);
      }
    });
  });
}
