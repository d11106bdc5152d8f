import assert from "node:assert/strict";
import { test } from "node:test";
import { codeBlocks, documentationPages, type CodeBlock } from "../support/code-blocks.ts";
import { checkJavaScript, compileModules, type Module } from "../support/compile-modules.ts";

/** The declarations that the snippets of the documentation take from the reader's own program. */
const readers = `
import type { Clock, Guard } from "holdfast";
import type { AuthenticatedUser, Issuer, Store } from "holdfast/issuer";
declare global {
  const guard: Guard;
  const issuer: Issuer;
  const token: string;
  const sessionId: string;
  function retryIn(ms: number | undefined): void;
  const myUsers: { check(username: unknown, password: unknown): Promise<AuthenticatedUser | null> };
  function myStore(options: { clock: Clock }): Promise<Store>;
}`;

/** The same for snippets in JavaScript, whose programs have an application, a page or a worker. */
const scriptReaders = `
declare global {
  const app: any;
  const protect: typeof import("holdfast/express").protect;
  const jwks: typeof import("holdfast").jwks;
  const mcp: import("holdfast/mcp").McpResource;
  const serve: typeof import("@hono/node-server").serve;
  const wss: import("ws").WebSocketServer;
  const createClient: typeof import("graphql-ws").createClient;
  function getToken(): Promise<string>;
  const username: string;
  const password: string;
  const auth: import("holdfast/client").AuthClient;
  const blocked: Pick<Set<unknown>, "has">;
  const users: { find(subject: string): Promise<object | null> };
  function oldMiddleware(): void;
  const teasers: readonly unknown[];
  function articlesOf(subject: string): readonly unknown[];
  function LoginForm(props: { onSubmit(credentials: Record<string, unknown>): unknown }): null;
  function Orders(props: { load(): Promise<Response> }): null;
  interface Document { getElementById(id: "root"): HTMLElement }
  interface Event { readonly request: Request; respondWith(response: Promise<Response>): void }
}`;

/** Packages that readers install and this repository does not have. */
const foreignPackages = `
declare module "undici";
declare module "@opentelemetry/sdk-node";`;

const blocks = documentationPages().flatMap(codeBlocks);
const isUnchecked = ({ info }: CodeBlock) => /\bno-check\b/.test(info);

/** The file that the first line of a block names, if no other block of its page names the same. */
function fileOf({ page, code }: CodeBlock): string | undefined {
  const nameOf = (text: string) => /^\/\/ ([\w./[\]-]+\.m?[jt]s)\n/.exec(text)?.[1];
  const file = nameOf(code);
  const same = blocks.filter((other) => other.page === page && nameOf(other.code) === file);
  return same.length === 1 ? file : undefined;
}

/**
 * The blocks in a language, as modules. The name of each contains its page and its first line. A block that names its file
 * is that file in a folder of its page, so that the others can import it.
 */
function modules(...languages: string[]): Module[] {
  return blocks
    .filter((block) => languages.includes(block.language) && !isUnchecked(block))
    .map((block) => {
      const folder = block.page.replaceAll("/", "-");
      const file = fileOf(block);
      return {
        name: file === undefined ? `${folder}-line-${block.line}.${block.language}` : `${folder}/${file}`,
        code: `${block.code}\nexport {};\n`,
      };
    });
}

test("every TypeScript block of the READMEs and of docs/ compiles against the packages", () => {
  const found = modules("ts", "tsx");
  assert.ok(found.length >= 60);
  assert.equal(compileModules([...found, { name: "readers.ts", code: readers }]), "");
});

test("every JavaScript block of the READMEs and of docs/ uses the packages as their types say", () => {
  const found = modules("js", "jsx");
  const programs = [
    { name: "readers.ts", code: readers + scriptReaders },
    { name: "packages.d.ts", code: foreignPackages },
  ];
  assert.ok(found.length >= 20);
  assert.equal(checkJavaScript([...found, ...programs]), "");
});

test("a block that is not compiled says why", () => {
  for (const { page, line, info } of blocks.filter(isUnchecked)) {
    assert.match(info, /^no-check: \w+( \S+){3,}$/, `${page}:${line}`);
  }
});
