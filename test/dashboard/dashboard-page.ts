import type { TestContext } from "node:test";
import axe from "axe-core";
import type { Browser, Page } from "playwright-core";
import { createLogger } from "../../src/server/logs.ts";
import { startService, type RunningService } from "../../src/server/serve.ts";
import { temporarySettings } from "../server/temporary-settings.ts";

/** A page of the dashboard, and every complaint of the browser about it. */
export interface OpenPage {
  readonly page: Page;
  /** Messages of the console, uncaught errors, and violations of the content security policy. */
  readonly complaints: string[];
}

/** Starts a service that ends with the test. */
export async function startWatchedService(
  t: TestContext,
  more: Record<string, string> = {},
): Promise<RunningService> {
  const running = await startService(await temporarySettings(more), createLogger("silent"));
  t.after(running.stop);
  return running;
}

/** Opens the dashboard and waits for its first numbers. */
export async function openDashboard(t: TestContext, browser: Browser, origin: string): Promise<OpenPage> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  t.after(async () => await context.close());
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on("console", (message) => complaints.push(`${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => complaints.push(`error: ${error.message}`));
  await page.goto(origin);
  await page.locator(".headline").waitFor();
  return { page, complaints };
}

/** Opens a view by its link, as a reader does. On a narrow screen the links are behind a button. */
export async function openView(page: Page, title: string): Promise<void> {
  const link = page.getByRole("navigation").getByRole("link", { name: title, exact: true });
  if (!(await link.isVisible())) await page.getByRole("button", { name: "Menu" }).click();
  await link.click();
  await page.getByRole("heading", { level: 1, name: title === "Now" ? /./ : title }).waitFor();
}

/** The rules of axe that the page breaks, each with the first element that breaks it. */
export async function accessibilityFaults(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate<axe.AxeResults>("axe.run()");
  return violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes[0]?.html ?? ""}`);
}
