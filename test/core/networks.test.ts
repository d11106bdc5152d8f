import assert from "node:assert/strict";
import { BlockList } from "node:net";
import { test } from "node:test";
import { addNetwork } from "../../src/core/networks.ts";

/** The addresses of `asked` that the network contains. */
function contained(network: string, asked: readonly string[]): string[] {
  const networks = new BlockList();
  assert.equal(addNetwork(networks, network), true, network);
  return asked.filter((address) => networks.check(address, address.includes(":") ? "ipv6" : "ipv4"));
}

const addresses = ["10.1.2.3", "10.1.2.4", "10.1.3.3", "10.2.2.3", "11.1.2.3"];

for (const [network, count] of [
  ["10.1.2.3", 1],
  ["10.1.2.3/32", 1],
  ["10.1.2.0/24", 2],
  ["10.1.0.0/16", 3],
  ["10.0.0.0/8", 4],
  ["0.0.0.0/0", 5],
] as const) {
  test(`fault 78: the network ${network} contains ${count} of five addresses`, () => {
    assert.deepEqual(contained(network, addresses), addresses.slice(0, count));
  });
}

test("fault 78: an IPv6 network has a prefix of up to 128 bits", () => {
  const asked = ["2001:db8::1", "2001:db8::2", "2001:db8:1::1"];
  assert.deepEqual(contained("2001:db8::1", asked), asked.slice(0, 1));
  assert.deepEqual(contained("2001:db8::1/128", asked), asked.slice(0, 1));
  assert.deepEqual(contained("2001:db8::/48", asked), asked.slice(0, 2));
  assert.deepEqual(contained("2001:db8::/9", asked), asked);
});

test("fault 78: a text that is no address and no network is refused, and adds nothing", () => {
  const networks = new BlockList();
  for (const text of [
    "",
    "/8",
    "localhost",
    "10.0.0",
    "10.0.0.0/",
    "10.0.0.0/33",
    "10.0.0.0/08",
    "10.0.0.0/-1",
    "10.0.0.0/1e1",
    "10.0.0.0/0x8",
    "10.0.0.0/ 8",
    "10.0.0.0/8/8",
    "10.0.0.0/255.0.0.0",
    "2001:db8::/129",
    "2001:db8::/1000",
  ]) {
    assert.equal(addNetwork(networks, text), false, text);
  }
  assert.deepEqual(networks.rules, []);
});
