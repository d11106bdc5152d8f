import assert from "node:assert/strict";
import { BlockList } from "node:net";
import { test } from "node:test";
import fc from "fast-check";
import { clientAddress, createAddressReader } from "../../../src/adapters/http/client-address.ts";
import { networkOf } from "../../../src/core/address.ts";
import { issuerEvents } from "../../../src/core/event-channels.ts";
import type { IssuerEvent } from "../../../src/core/events.ts";

const proxies = new BlockList();
proxies.addSubnet("10.0.0.0", 8, "ipv4");
proxies.addAddress("2001:db8::1", "ipv6");

const table: [peer: string | undefined, forwarded: string | undefined, source: string | undefined][] = [
  ["192.0.2.1", undefined, "192.0.2.1"],
  ["192.0.2.1", "203.0.113.9", "192.0.2.1"],
  ["10.0.0.1", "203.0.113.9", "203.0.113.9"],
  ["::ffff:10.0.0.1", "203.0.113.9", "203.0.113.9"],
  ["10.0.0.1", "1.2.3.4, 203.0.113.9, 10.0.0.2", "203.0.113.9"],
  ["10.0.0.1", "203.0.113.9, not-an-address", undefined],
  ["10.0.0.1", "10.0.0.3,10.0.0.2", "10.0.0.3"],
  ["2001:db8::1", "2001:db8::99", "2001:db8::99"],
  ["10.0.0.1", undefined, "10.0.0.1"],
  [undefined, "203.0.113.9", undefined],
];
for (const [peer, forwardedFor, source] of table) {
  test(`fault 55: peer ${peer} with X-Forwarded-For ${forwardedFor} counts as ${source}`, () => {
    assert.equal(clientAddress(peer, { forwardedFor, forwarded: undefined }, proxies), source);
  });
}

const nodes: [node: string, source: string | undefined][] = [
  ["203.0.113.9:51234", "203.0.113.9"],
  ["203.0.113.9:_port", "203.0.113.9"],
  ['"203.0.113.9:51234"', "203.0.113.9"],
  ["2001:db8::99", "2001:db8::99"],
  ["2001:DB8:0:0::99", "2001:db8::99"],
  ["[2001:db8::99]", "2001:db8::99"],
  ["[2001:db8::99]:443", "2001:db8::99"],
  ['"[2001:db8::99]:443"', "2001:db8::99"],
  ["fe80::1%eth0", "fe80::1"],
  ['"[fe80::1%25eth0]:443"', "fe80::1"],
  ["::ffff:203.0.113.9", "203.0.113.9"],
  ["[::FFFF:cb00:7109]:80", "203.0.113.9"],
  ["unknown", undefined],
  ["_hidden", undefined],
  ["203.0.113.9:51234:1", undefined],
  ["[203.0.113.9]", undefined],
  ["[2001:db8::99", undefined],
  ["203.0.113.999", undefined],
  ["", undefined],
  ["1".repeat(10_000), undefined],
];
for (const [node, source] of nodes) {
  const shown = node.slice(0, 30);
  test(`fault 78: a trusted proxy that names the client as ${shown || "an empty node"} makes the source ${source}`, () => {
    const hop = `198.51.100.1, ${node}`;
    assert.equal(clientAddress("10.0.0.1", { forwardedFor: hop, forwarded: undefined }, proxies), source);
  });
}

const elements: [forwarded: string, source: string | undefined][] = [
  ["for=203.0.113.9", "203.0.113.9"],
  ["For=203.0.113.9;proto=https;by=10.0.0.1", "203.0.113.9"],
  ['proto=https; for="[2001:db8::99]:4711"', "2001:db8::99"],
  ['for=198.51.100.1, for="203.0.113.9:80", for=10.0.0.2', "203.0.113.9"],
  ['for=198.51.100.1;host="a,for=192.0.2.9", for=203.0.113.9', "203.0.113.9"],
  ["for=198.51.100.1, proto=https", undefined],
  ["for=198.51.100.1, for=unknown", undefined],
  ["for=_gazonk", undefined],
];
for (const [forwarded, source] of elements) {
  test(`fault 78: a trusted proxy with Forwarded ${forwarded} makes the source ${source}`, () => {
    assert.equal(clientAddress("10.0.0.1", { forwardedFor: undefined, forwarded }, proxies), source);
  });
}

test("fault 55: Forwarded does not count beside X-Forwarded-For, because the client may have written it", () => {
  const fields = { forwardedFor: "203.0.113.9", forwarded: "for=198.51.100.1" };
  assert.equal(clientAddress("10.0.0.1", fields, proxies), "203.0.113.9");
});

test("an IPv6 address in any spelling is in the same network, and the next /48 in another one", () => {
  const bits = { ipv4: 24, ipv6: 48 };
  fc.assert(
    fc.property(fc.array(fc.nat(0xffff), { minLength: 8, maxLength: 8 }), (groups) => {
      fc.pre(groups[0] !== 0);
      const spell = (parts: number[], digits = 1) =>
        parts.map((part) => part.toString(16).padStart(digits, "0")).join(":");
      const network = networkOf(spell(groups), bits);
      assert.equal(networkOf(spell(groups, 4).toUpperCase(), bits), network);
      assert.equal(networkOf(`${spell(groups.with(7, 1).with(3, 7))}%eth0`, bits), network);
      assert.notEqual(networkOf(spell(groups.with(2, (groups[2] ?? 0) ^ 1)), bits), network);
    }),
  );
  assert.equal(networkOf("192.0.2.7", bits), "192.0.2");
  assert.equal(networkOf("2001:db8::1"), networkOf("2001:db8:0:0:ffff::"));
});

test("fault 78: warns once, with the name of the setting, when a proxy in a private network is not trusted", () => {
  const seen: IssuerEvent[] = [];
  const listen = (event: unknown) => seen.push(event as IssuerEvent);
  issuerEvents.subscribe(listen);
  const addressOf = createAddressReader("own", proxies, "HOLDFAST_TRUSTED_PROXIES");
  const fields = { forwardedFor: "203.0.113.9", forwarded: undefined };
  const none = { forwardedFor: undefined, forwarded: undefined };
  assert.equal(addressOf("192.0.2.1", fields), "192.0.2.1");
  assert.equal(addressOf("10.0.0.1", fields), "203.0.113.9");
  assert.equal(addressOf("172.16.0.1", none), "172.16.0.1");
  assert.equal(seen.length, 0);
  for (let i = 0; i < 3; i++) assert.equal(addressOf("::ffff:172.16.0.1", fields), "172.16.0.1");
  issuerEvents.unsubscribe(listen);
  assert.equal(seen.length, 1);
  assert.equal(seen[0]?.event, "proxy_not_trusted");
  assert.match(seen[0].message, /HOLDFAST_TRUSTED_PROXIES/);
});
