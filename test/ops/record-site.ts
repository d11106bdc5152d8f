import { setTimeout as pause } from "node:timers/promises";
import type { FaultSite } from "../support/faults/ten-faults.ts";
import type { SeriesLog } from "./series.ts";

/** Scrapes the processes of the site, while its users ask for everything. */
export async function recordSite(
  { deployment, users }: Pick<FaultSite, "deployment" | "users">,
  series: SeriesLog,
  scrapes: number,
  everyMs: number,
): Promise<void> {
  const { issuer, gateway } = deployment;
  const processes = new Map([
    [issuer.admin, "issuer"],
    [gateway.admin, issuer === gateway ? "issuer" : "gateway"],
  ]);
  const over = new AbortController();
  const ask = async () => {
    while (!over.signal.aborted) await Promise.all([users.askAll(), pause(everyMs)]);
  };
  const scrapeAll = async () => {
    for (let i = 0; i < scrapes; i++) {
      await pause(everyMs);
      const scrape = async ([admin, instance]: [string, string]) => {
        const page = await (await fetch(`${admin}/metrics`)).text();
        series.add("up", "", 1, instance);
        series.addPage(page, instance);
      };
      await Promise.all([...processes].map(scrape));
      series.next();
    }
    over.abort();
  };
  await Promise.all([ask(), scrapeAll()]);
}
