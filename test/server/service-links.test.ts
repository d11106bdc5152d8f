import assert from "node:assert/strict";
import { test } from "node:test";
import { findServiceLinks } from "../../src/server/service-links.ts";
import { readSettings } from "../../src/server/settings.ts";

/** What Kubernetes sets for a Service of this name with one named port. */
const linksOf = (name: string, address = "10.96.12.3") => ({
  [`${name}_SERVICE_HOST`]: address,
  [`${name}_SERVICE_PORT`]: "4180",
  [`${name}_SERVICE_PORT_HTTP_API`]: "4180",
  [`${name}_PORT`]: `tcp://${address}:4180`,
  [`${name}_PORT_4180_TCP`]: `tcp://${address}:4180`,
  [`${name}_PORT_4180_TCP_PROTO`]: "tcp",
  [`${name}_PORT_4180_TCP_PORT`]: "4180",
  [`${name}_PORT_4180_TCP_ADDR`]: address,
});

test("the service starts beside Kubernetes Services whose names begin with its own", () => {
  for (const name of ["HOLDFAST", "HOLDFAST_ADMIN", "HOLDFAST_REDIS"]) {
    for (const address of ["10.96.12.3", "fd00::1"]) {
      const links = linksOf(name, address);
      assert.deepEqual(findServiceLinks(links), Object.keys(links));
      const settings = readSettings(links);
      assert.equal(settings.port, 4180);
      assert.equal(settings.adminPort, 4181);
    }
  }
  const { HOLDFAST_PORT: _, ...others } = linksOf("HOLDFAST");
  assert.equal(readSettings({ ...others, HOLDFAST_PORT: "4280" }).port, 4280);
});

test("a variable is a service link only with the value of one", () => {
  const others = {
    HOLDFAST_PORT: "http://10.96.12.3:4180",
    HOLDFAST_SERVICE_HOST: "holdfast.internal",
    HOLDFAST_SERVICE_PORT: "tcp",
    HOLDFAST_PORT_4180_TCP: "4180",
    HOLDFAST_PORTS: "tcp://10.96.12.3:4180",
    REDIS_PORT: "tcp://10.96.12.3:6379",
  };
  assert.deepEqual(findServiceLinks(others), []);
  for (const [name, value] of Object.entries(others)) {
    if (name.startsWith("HOLDFAST_")) {
      assert.throws(() => readSettings({ [name]: value }), { code: "invalid_option" }, name);
    }
  }
});
