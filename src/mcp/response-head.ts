import type { OutgoingHttpHeader, ServerResponse } from "node:http";

type HeadArguments = [status: number, ...rest: unknown[]];

/**
 * Calls `listener` right before the head of a response is sent. `res.getHeader` and `res.setHeader` then know all headers,
 * also those that the application passes to `writeHead`.
 */
export function beforeHead(res: ServerResponse, listener: () => void): void {
  const writeHead = res.writeHead.bind(res) as (...head: HeadArguments) => ServerResponse;
  let isCalled = false;
  res.writeHead = (...[status, ...rest]: HeadArguments) => {
    if (isCalled) return writeHead(status, ...rest);
    isCalled = true;
    const reason = typeof rest[0] === "string" ? [rest[0]] : [];
    // Node also takes `undefined` in place of a reason.
    setAll(
      res,
      rest.find((one) => typeof one === "object" && one !== null),
    );
    listener();
    return writeHead(status, ...reason);
  };
}

/** Sets headers in the forms that `writeHead` takes: an object, a list of pairs, or names and values in turn. */
function setAll(res: ServerResponse, headers: unknown): void {
  if (headers === undefined) return;
  if (!Array.isArray(headers)) {
    for (const [name, value] of Object.entries(headers as Record<string, OutgoingHttpHeader | undefined>)) {
      if (value !== undefined) res.setHeader(name, value);
    }
    return;
  }
  const flat = headers.flat(1) as string[];
  const pairs = Array.isArray(headers[0])
    ? (headers as [string, string][])
    : flat.flatMap((name, i): [string, string][] => (i % 2 === 0 ? [[name, flat[i + 1] ?? ""]] : []));
  for (const [name] of pairs) res.removeHeader(name);
  for (const [name, value] of pairs) res.appendHeader(name, value);
}
