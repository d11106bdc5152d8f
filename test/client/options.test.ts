import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { createAuthClient, type AuthClientOptions } from "../../src/client/index.ts";

const idUrl = "https://id.example.com";

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");
const page = read("docs/clients/browser.md");
const types = read("src/client/types.ts");

/** A default without quotes, separators and types: `300,000`, `300_000` and `"auth"` lose them. */
const plain = (text: string | undefined) => (text ?? "").replaceAll(/[`",_[\]\s]|\.$/g, "");

/** The options in the table below a heading of docs/clients/browser.md, with their defaults. */
function documented(heading: string): Map<string, string> {
  const section = page.split(`\n## ${heading}\n`)[1]?.split("\n## ")[0] ?? "";
  const rows = [...section.matchAll(/^\| (`.*?) \| (.*?) ?\| .* \|$/gm)];
  return new Map(
    rows.flatMap(([, names = "", value]) =>
      [...names.matchAll(/`(\w+)`/g)].map(([, name = ""]) => [name, plain(value)] as const),
    ),
  );
}

/** The options of an interface, with the defaults that their comments tell. */
function declared(name: string): Map<string, string> {
  const body = types.split(`export interface ${name} {\n`)[1]?.split("\n}")[0] ?? "";
  const members = [...body.matchAll(/\/\*\*((?:[^*]|\*(?!\/))*)\*\/\s+(\w+)\??:/g)];
  return new Map(
    members.map(([, comment = "", option = ""]) => {
      const value = /Default: ([^]*?)(?:\.\s|\.?\s*$|, (?:in|read))/.exec(
        comment.replaceAll(/\s+\*\s/g, " "),
      );
      return [option, plain(value?.[1])] as const;
    }),
  );
}

/** The defaults in the code: `name = value` of a destructured parameter. */
function coded(file: string, names: Iterable<string>): Map<string, string> {
  const code = read(file);
  const found = [...names].map(
    (name) => [name, new RegExp(`[{\\s]${name} = ([^;\\n]*?),?(?: \\}|\\n)`).exec(code)] as const,
  );
  return new Map(found.flatMap(([name, match]) => (match ? [[name, plain(match[1])] as const] : [])));
}

test("the table of options in docs/clients/browser.md has the options of the code, and their defaults", () => {
  const [table, types_] = [documented("Options"), declared("AuthClientOptions")];
  assert.deepEqual([...table.keys()].toSorted(), [...types_.keys()].toSorted());
  const code = coded("src/client/create-session.ts", table.keys());
  for (const name of ["key", "mode", "storage", "bufferMs", "timeoutMs", "lockWaitMs"]) {
    assert.ok(code.get(name), name);
    assert.equal(table.get(name), code.get(name), name);
    assert.equal(types_.get(name), code.get(name), name);
  }
});

test("the table of options of connect in docs/clients/browser.md has the options of the code, and their defaults", () => {
  const [table, types_] = [documented("WebSockets"), declared("ConnectOptions")];
  assert.deepEqual([...table.keys()].toSorted(), [...types_.keys()].toSorted());
  const code = coded("src/client/live-socket.ts", table.keys());
  for (const name of ["protocols", "binaryType", "maxQueue"])
    assert.equal(table.get(name), code.get(name), name);
  for (const [name, value] of types_) if (value !== "") assert.equal(table.get(name), value, name);
});

test("each documented option of connect is accepted, and a misspelt one is refused by name", () => {
  const auth = createAuthClient({ baseUrl: idUrl, storage: "memory" });
  for (const name of documented("WebSockets").keys()) auth.connect(idUrl, { [name]: undefined }).close();
  for (const name of ["onmessage", "protocol", "maxQueueSize"]) {
    const message = `connect: option must be known, got ${name}`;
    assert.throws(() => auth.connect(idUrl, { [name]: "x" }), { message });
  }
  auth.close();
});

test("each documented option is accepted, and a misspelt one is refused by name", () => {
  const misspelt = ["baseURL", "origin", "bufferms", "lockWait", "Mode"];
  for (const name of documented("Options").keys()) {
    createAuthClient({ [name]: undefined, baseUrl: idUrl, storage: "memory" }).close();
  }
  for (const name of misspelt) {
    const options = { baseUrl: idUrl, [name]: "x" } as unknown as AuthClientOptions;
    assert.throws(() => createAuthClient(options), { message: `option must be known, got ${name}` });
  }
});
