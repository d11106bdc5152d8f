import assert from "node:assert/strict";
import { BlockList } from "node:net";
import { test } from "node:test";
import { clientAddress } from "../../../src/adapters/http/client-address.ts";

const proxies = new BlockList();
proxies.addSubnet("10.0.0.0", 8, "ipv4");
proxies.addAddress("2001:db8::1", "ipv6");

const table: [peer: string | undefined, forwarded: string | undefined, source: string | undefined][] = [
  ["192.0.2.1", undefined, "192.0.2.1"],
  ["192.0.2.1", "203.0.113.9", "192.0.2.1"],
  ["10.0.0.1", "203.0.113.9", "203.0.113.9"],
  ["::ffff:10.0.0.1", "203.0.113.9", "203.0.113.9"],
  ["10.0.0.1", "1.2.3.4, 203.0.113.9, 10.0.0.2", "203.0.113.9"],
  ["10.0.0.1", "203.0.113.9, not-an-address", "10.0.0.1"],
  ["10.0.0.1", "10.0.0.3,10.0.0.2", "10.0.0.3"],
  ["2001:db8::1", "2001:db8::99", "2001:db8::99"],
  ["10.0.0.1", undefined, "10.0.0.1"],
  [undefined, "203.0.113.9", undefined],
];
for (const [peer, forwarded, source] of table) {
  test(`fault 55: peer ${peer} with X-Forwarded-For ${forwarded} counts as ${source}`, () => {
    assert.equal(clientAddress(peer, forwarded, proxies), source);
  });
}
