import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { runHoldfast } from "./cli-process.ts";
import { sourceCli } from "../support/cli.ts";

const names = [
  "serve",
  "user add",
  "user list",
  "user disable",
  "user enable",
  "user remove",
  "user scopes",
  "user password",
  "user passwd",
  "user import",
  "secret forget",
  "keys list",
  "keys rotate",
  "keys export",
  "keys import",
  "keys distrust",
  "breaker",
  "revoke",
  "token inspect",
  "backup",
  "restore",
  "migrate",
  "drill",
  "doctor",
  "doctor token",
];

test("--help lists every command, with examples and exit codes", async () => {
  const { code, out } = await runHoldfast(["--help"]);
  assert.equal(code, 0);
  for (const name of names) assert.match(out, new RegExp(`^  ${name} `, "m"));
  assert.match(out, /Examples:/);
  assert.match(out, /Exit codes: 0 done, 1 failed, 2/);
});

for (const name of names) {
  test(`${name} --help explains the command with an example`, async () => {
    const { code, out } = await runHoldfast([...name.split(" "), "--help"]);
    assert.equal(code, 0);
    assert.match(out, new RegExp(`^holdfast ${name}: .+\n\nUsage: holdfast ${name}`));
    assert.match(out, /Examples:\n  (?:\w+=\S+ )*holdfast /);
  });
}

/** Prints the modules of drill/ that Node loads to standard error. */
const printDrillModules = `import { registerHooks } from "node:module";
registerHooks({ load(url, context, next) {
  if (/\\/(?:src|dist)\\/drill\\//.test(url)) process.stderr.write("loads " + url + "\\n");
  return next(url, context);
} });`;

test("only the drill command loads the modules of the drill", async () => {
  const nodeArgs = ["--import", `data:text/javascript,${encodeURIComponent(printDrillModules)}`];
  // The modules of a build have other names.
  const command = sourceCli;
  for (const args of [["--help"], ["drill", "--help"], ["serve"]]) {
    // The service stops at the malformed setting, after its modules are loaded.
    const { err } = await runHoldfast(args, { nodeArgs, command, settings: { HOLDFAST_PORT: "none" } });
    assert.doesNotMatch(err, /loads/, args.join(" "));
  }
  const target = ["--target", "http://127.0.0.1:1", "--authority", "http://nowhere.invalid"];
  const { err } = await runHoldfast(["drill", ...target], { nodeArgs, command, input: "token" });
  assert.match(err, /loads .*\/drill\/run-drill/);
});

test("--version prints the version of the package", async () => {
  const manifest = JSON.parse(await readFile(new URL("../../package.json", import.meta.url), "utf8")) as {
    version: string;
  };
  assert.deepEqual(await runHoldfast(["--version"]), { code: 0, out: `${manifest.version}\n`, err: "" });
});

for (const [node, code, said] of [
  ["20.20.2", 1, /^holdfast: needs Node 22\.19 or newer; this is 20\.20\.2\n$/],
  ["22.18.0", 1, /this is 22\.18\.0/],
  ["22.19.0", 0, /^$/],
  ["24.0.0", 0, /^$/],
] as const) {
  test(`on Node ${node} the command ${code === 0 ? "runs" : "prints one line with the version it needs"}`, async () => {
    const pretend = `Object.defineProperty(process, "versions", { value: { ...process.versions, node: "${node}" } })`;
    const done = await runHoldfast(["--version"], {
      nodeArgs: ["--import", `data:text/javascript,${pretend}`],
    });
    assert.equal(done.code, code);
    assert.match(done.err, said);
  });
}

const misunderstood: [string[], RegExp][] = [
  [[], /a command is missing; see holdfast --help/],
  [["user"], /use one of user add, user list, user disable, .+; see holdfast user --help/],
  [["keys", "rotat"], /use one of keys list, keys rotate/],
  [["revok"], /no command "revok"; did you mean revoke\?/],
  [["uesr", "add"], /no command "uesr"; did you mean user add\?/],
  [["fly"], /no command "fly"; see holdfast --help/],
  [["user", "add"], /NAME is missing; see holdfast user add --help/],
  [["user", "add", "a", "b"], /too many arguments/],
  [["user", "add", "a", "--password", "x"], /Unknown option '--password'/],
  [["user", "scopes", "a"], /give --scope or --none/],
  [["user", "scopes", "a", "--none", "--sessions", "end"], /--sessions must be keep/],
  [["user", "scopes", "a", "--none=yes"], /does not take an argument/],
  [["serve", "now"], /too many arguments/],
  [["revoke"], /name one of --session, --user, --token-id and --key/],
  [["revoke", "--user", "a", "--session", "b"], /name one of/],
  [["revoke", "--user", "a", "--force"], /--force goes with --session or --key/],
  [["session", "end", "--user", "a", "--force"], /--force needs an ID/],
];
for (const [args, message] of misunderstood) {
  test(`"holdfast ${args.join(" ")}" is not understood: exit code 2 and one line with the reason`, async () => {
    const { code, out, err } = await runHoldfast(args);
    assert.equal(code, 2);
    assert.equal(out, "");
    assert.match(err, /^holdfast: .+\n$/);
    assert.match(err, message);
  });
}

test("law 5: serve rejects all wrong settings by name, and prints no value", async () => {
  const settings = { HOLDFAST_PROT: "hunter2", HOLDFAST_SECRET: "hunter2", HOLDFAST_PORT: "hunter2" };
  const { code, err } = await runHoldfast(["serve"], { settings });
  assert.equal(code, 1);
  for (const name of ["HOLDFAST_PROT", "HOLDFAST_SECRET", "HOLDFAST_PORT"]) assert.ok(err.includes(name));
  assert.doesNotMatch(err, /hunter2|\n\s+at /);
});
