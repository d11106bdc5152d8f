/**
 * Measures what the issuer's endpoints cost a server over HTTP. The floor is a server that answers 204 to the same
 * requests. Each server runs in a separate process, and the figure is its processor time for a request, with all threads. The
 * last row leaves out the thread of the store, which waits for the disk.
 * Logins check no password. The store in memory is an SQLite database in the main thread. TLS and the network are left out.
 */
import { compare, isWanted, report, type Measurement } from "./measure.ts";
import { client, serveIssuer, type IssuerAddress, type IssuerMode } from "./issuer-servers.ts";
import { serverMode, ServerProcess } from "./server-process.ts";

const ROUNDS = 7;
const REQUESTS = 2_500;
const basic = `Basic ${Buffer.from(`${client.id}:${client.secret}`).toString("base64")}`;

type Server = ServerProcess<IssuerAddress>;

/** What the measuring process keeps for a server between requests. */
interface State {
  readonly server: Server;
  readonly accessToken: string;
  readonly refreshTokens: string[];
}

interface Operation {
  readonly name: string;
  readonly target?: number;
  readonly hasPeer?: true;
  readonly path: string;
  readonly peerPath?: string;
  readonly authorized?: true;
  readonly body: (state: State, worker: number) => object | URLSearchParams;
  /** Reads the answer of the issuer. */
  readonly onAnswer?: (answer: string, state: State, worker: number) => void;
}

let logins = 0;

const operations: readonly Operation[] = [
  {
    name: "introspection",
    target: 4,
    hasPeer: true,
    path: "/oauth/introspect",
    peerPath: "/token/introspection",
    authorized: true,
    body: ({ accessToken: token }) => new URLSearchParams({ token }),
  },
  {
    name: "POST /auth/validate",
    target: 4,
    path: "/auth/validate",
    authorized: true,
    body: ({ accessToken: token }) => ({ token }),
  },
  {
    name: "client credentials",
    target: 4,
    hasPeer: true,
    path: "/oauth/token",
    peerPath: "/token",
    authorized: true,
    body: () => new URLSearchParams({ grant_type: "client_credentials" }),
  },
  {
    name: "refresh",
    target: 6,
    path: "/auth/refresh",
    body: ({ refreshTokens }, worker) => ({ refresh_token: refreshTokens[worker] ?? "" }),
    onAnswer: (answer, { refreshTokens }, worker) => {
      refreshTokens[worker] = (JSON.parse(answer) as { refresh_token: string }).refresh_token;
    },
  },
  {
    name: "login without a password hash",
    path: "/auth/login",
    body: () => ({ username: `user-${logins++}`, password: "none" }),
  },
];

async function sendOne(
  { path, peerPath, ...operation }: Operation,
  mode: IssuerMode,
  state: State,
  worker: number,
) {
  const content = operation.body(state, worker);
  const isForm = content instanceof URLSearchParams;
  const body = isForm ? content.toString() : JSON.stringify(content);
  const headers = {
    "content-type": isForm ? "application/x-www-form-urlencoded" : "application/json",
    "content-length": Buffer.byteLength(body),
    ...(operation.authorized && { authorization: basic }),
  };
  const at = mode.kind === "oidc-provider" ? (peerPath ?? path) : path;
  const { status, text } = await state.server.client.send({ method: "POST", path: at, headers }, body);
  if (status === 204 && mode.kind === "204") return;
  if (status !== 200) throw new Error(`${mode.kind} answers ${status} to ${at}: ${text}`);
  if (mode.kind === "issuer") operation.onAnswer?.(text, state, worker);
}

async function start(mode: IssuerMode): Promise<State> {
  const server = await ServerProcess.start<IssuerAddress>(import.meta.filename, mode);
  const { address } = server;
  if (mode.kind !== "oidc-provider") return { server, ...address, refreshTokens: [...address.refreshTokens] };
  const headers = { "content-type": "application/x-www-form-urlencoded", authorization: basic };
  const { text } = await server.client.send(
    { method: "POST", path: "/token", headers },
    "grant_type=client_credentials",
  );
  return {
    server,
    accessToken: (JSON.parse(text) as { access_token: string }).access_token,
    refreshTokens: [],
  };
}

async function race(operation: Operation): Promise<Measurement> {
  const { name, target, hasPeer } = operation;
  const goal = target === undefined ? {} : { target };
  const contenders: { name: string; mode: IssuerMode; target?: number }[] = [
    { name: "a server answering 204", mode: { kind: "204" } },
    { name: "Holdfast, in memory", mode: { kind: "issuer", store: "memory" } },
    { name: "Holdfast, SQLite", mode: { kind: "issuer", store: "sqlite" }, ...goal },
  ];
  if (hasPeer === true) contenders.push({ name: "node-oidc-provider", mode: { kind: "oidc-provider" } });
  const states = await Promise.all(contenders.map(async ({ mode }) => await start(mode)));
  const token = states[1]?.accessToken ?? "";
  const micros: number[][] = [...contenders, "main thread"].map(() => []);
  for (let round = -2; round < ROUNDS; round++) {
    for (const [i, state] of states.entries()) {
      const { mode } = contenders[i] as { mode: IssuerMode };
      // The floor gets requests of the same size.
      const own = mode.kind === "204" ? { ...state, accessToken: token, refreshTokens: [token] } : state;
      const each = await own.server.measure(
        REQUESTS,
        async (worker) => await sendOne(operation, mode, own, worker),
      );
      if (round >= 0) micros[i]?.push(each.all); // The first two warm up.
      if (round >= 0 && mode.store === "sqlite") micros.at(-1)?.push(each.main);
    }
  }
  for (const { server } of states) server.stop();
  const rows = [...contenders, { name: "Holdfast, SQLite, main thread", ...goal }];
  return compare(`server processor time for a request: ${name}`, rows, micros);
}

async function run(): Promise<void> {
  const measurements: Measurement[] = [];
  for (const operation of operations) if (isWanted(operation.name)) measurements.push(await race(operation));
  report(measurements);
}

const mode = serverMode() as IssuerMode | null;
await (mode === null ? run() : serveIssuer(mode));
