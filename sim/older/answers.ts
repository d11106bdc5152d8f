/** The revocation log, as a snapshot or a tail of it has its entries. */
interface LogBody {
  readonly entries?: readonly { readonly revocation: Readonly<Record<string, unknown>> }[];
}

/**
 * Answers a request for the revocation log as the version before did: it knew no pages, so it answered a whole snapshot,
 * and its cut-offs had no number.
 */
export async function answerAsOlderVersion(
  answer: (request: Request) => Promise<Response>,
  request: Request,
): Promise<Response> {
  const url = new URL(request.url);
  url.searchParams.delete("page");
  const { headers, signal } = request;
  const response = await answer(new Request(url, { headers, signal }));
  if (response.status !== 200) return response;
  const body = (await response.json()) as LogBody;
  const entries = body.entries?.map((entry) => {
    const { number: _, ...revocation } = entry.revocation;
    return { ...entry, revocation };
  });
  return Response.json({ ...body, ...(entries !== undefined && { entries }) });
}
