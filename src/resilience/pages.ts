/** A part of something large, and the name of the next part. `null` on the last one. */
interface Page {
  readonly next: string | null;
}

/**
 * Reads one page after the other. The next page is read while the caller works on a page, so reader and store work at the
 * same time.
 */
export async function* readPages<P extends Page>(
  readPage: (cursor: string | null) => Promise<P>,
): AsyncGenerator<P, void, undefined> {
  let reading: Promise<P> | null = readPage(null);
  while (reading !== null) {
    const page: P = await reading;
    reading = page.next === null ? null : readPage(page.next);
    // The caller may end before it awaits this page.
    reading?.catch(() => undefined);
    yield page;
  }
}
