import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import { noChromium, startChromium } from "../browser/chromium.ts";
import { openControlledPage } from "./controlled-page.ts";
import { openView } from "./dashboard-page.ts";
import { ExpectedTexts } from "./expected-texts.ts";
import type { Region } from "./page-regions.ts";

let browser: Browser;

before(async () => {
  if (noChromium === false) browser = await startChromium();
});
after(async () => await browser?.close());

/** Notes what is drawn on each canvas since it was cleared. Heights are percents of the canvas, from its top. */
const noteDrawings = `{
  const context = CanvasRenderingContext2D.prototype;
  const points = new WeakMap();
  const instead = (target, name, note) => {
    const original = target[name];
    target[name] = function (...args) {
      note(this, ...args);
      return original.apply(this, args);
    };
  };
  const add = ({ canvas }, line) => (canvas.drawn ??= []).push(line);
  const height = ({ canvas }, y) => Math.round((100 * y) / canvas.height);
  const noteArea = (kind) => (drawing, path) => {
    if (!(path instanceof Path2D)) return;
    const ys = (points.get(path) ?? []).map((y) => height(drawing, y));
    add(drawing, kind + " " + drawing.getLineDash().join("-") + " at " + ys.join(" "));
  };
  for (const name of ["moveTo", "lineTo"]) {
    instead(Path2D.prototype, name, (path, x, y) => points.set(path, [...(points.get(path) ?? []), y]));
  }
  instead(context, "clearRect", ({ canvas }) => (canvas.drawn = []));
  instead(context, "fillText", (drawing, text) => text !== "" && add(drawing, "label " + text));
  instead(context, "stroke", noteArea("line"));
  instead(context, "fill", noteArea("area"));
}`;

/** The drawings of the charts in this view, as regions. */
async function readDrawings(page: Page): Promise<Region[]> {
  return await page.evaluate<Region[]>(
    `[...document.querySelectorAll("figure")].map((figure) => ({
      name: figure.querySelector("h2").textContent,
      lines: figure.querySelector("canvas").drawn ?? [],
    }))`,
  );
}

test(
  "charts draw their values with units, and lines that differ without colours",
  { skip: noChromium },
  async (t) => {
    const { page, show } = await openControlledPage(t, browser, noteDrawings);
    const texts = new ExpectedTexts("charts");
    const drawings = async () => await readDrawings(page);
    for (const view of ["Traffic", "Stores", "Keys and revocations"]) {
      await show("well");
      await openView(page, view);
      await texts.compare(`${view}, well`, drawings);
      await show("empty");
      await texts.compare(`${view}, empty`, drawings);
    }
    texts.finish();
  },
);

test(
  "a pointer over a chart shows the values of that time in every chart",
  { skip: noChromium },
  async (t) => {
    const { page, show } = await openControlledPage(t, browser);
    await show("well");
    await openView(page, "Traffic");
    const legends = page.getByRole("list", { name: "Values under the pointer" });
    const area = page.getByRole("figure", { name: "Not definite" }).locator(".u-over");
    await area.hover({ position: { x: 2, y: 40 } });
    await legends.first().getByText("at 11:58:20").waitFor();
    assert.equal(await legends.count(), await page.getByRole("figure").count());
    assert.match(await legends.first().innerText(), /valid\s+1 \/s\s/);
    await page.mouse.move(0, 0);
    await legends.first().waitFor({ state: "detached" });
  },
);
