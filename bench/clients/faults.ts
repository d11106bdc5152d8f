/** What happens to a request for a new access token. The server handles it first only where `reaches` is true. */
export interface Fault {
  readonly name: string;
  /** Whether the server handles the request before the fault, so that a refresh token is spent. */
  readonly reaches: boolean;
  readonly act: "answer" | "cut" | "half" | "hang" | "hold";
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

const html = { "Content-Type": "text/html" };
const json = { "Content-Type": "application/json" };

const answer = (
  name: string,
  status: number,
  headers: Readonly<Record<string, string>>,
  body: string,
): Fault => ({ name, reaches: false, act: "answer", status, headers, body });

type FaultName =
  | "internalError"
  | "badGateway"
  | "unavailable"
  | "tooMany"
  | "captivePortal"
  | "loginPage"
  | "emptyJson"
  | "cut"
  | "half"
  | "hang"
  | "lost"
  | "hold";

export const faults: Readonly<Record<FaultName, Fault>> = {
  internalError: answer("500", 500, json, '{"error":"server_error"}'),
  badGateway: answer("502 HTML", 502, html, "<h1>502 Bad Gateway</h1>"),
  unavailable: answer("503", 503, { ...json, "Retry-After": "5" }, '{"error":"temporarily_unavailable"}'),
  tooMany: answer("429", 429, { ...json, "Retry-After": "5" }, '{"error":"too_many_requests"}'),
  captivePortal: answer("captive portal", 200, html, "<h1>Accept the terms of this network</h1>"),
  loginPage: answer("login page", 302, { Location: "/maintenance" }, ""),
  emptyJson: answer("empty JSON", 200, json, "{}"),
  cut: { name: "cut", reaches: false, act: "cut" },
  half: { name: "half a body", reaches: true, act: "half" },
  hang: { name: "hang", reaches: false, act: "hang" },
  lost: { name: "lost answer", reaches: true, act: "cut" },
  hold: { name: "slow answer", reaches: true, act: "hold" },
};
