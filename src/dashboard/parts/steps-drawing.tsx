import type { JSX } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { latency, rate } from "../data/format.ts";
import type { Step, StepName, StepWord } from "../wire-state.ts";
import { useDashboard } from "./dashboard-context.ts";
import { StateWord, type Tone } from "./tone.tsx";

const names: Readonly<Record<StepName, string>> = {
  token: "Token",
  memory: "Memory",
  verification: "Verification",
  shared: "Shared answers",
  authority: "Authority",
  degraded: "Degraded mode",
  decision: "Decision",
};

const stepTones: Readonly<Record<StepWord, Tone>> = {
  ok: "ok",
  idle: "idle",
  off: "idle",
  degraded: "degraded",
  failing: "failing",
};

const answers = ["valid", "invalid", "forbidden", "unavailable"] as const;

/** A line of the drawing, in pixels from the corner of the drawing. */
interface Flow {
  readonly key: string;
  readonly path: string;
  readonly perS: number;
  /** Whether it leads past a step that is not configured or is skipped. */
  readonly isPast: boolean;
}

/**
 * Draws the steps of a validation. The width of a line shows how many tokens take it: on to the next step, or to the
 * decision when the step answers. A line past a step that is off or skipped is dashed.
 */
export function StepsDrawing(): JSX.Element {
  const { received } = useDashboard();
  const { steps, decisions } = received.frame.state;
  const list = useRef<HTMLOListElement>(null);
  const layout = useLayout(list);
  const decision = steps.find(({ name }) => name === "decision");
  const flows = layout === null ? [] : drawFlows(steps, layout);
  return (
    <div class="steps-box">
      <div class="steps">
        <svg class="flows" aria-hidden="true">
          {flows.map(({ key, path, perS, isPast }) => (
            <path
              key={key}
              d={path}
              class={`${perS > 0 ? "moving" : "none"}${isPast ? " past" : ""}`}
              stroke-width={widthOf(perS)}
            />
          ))}
        </svg>
        <ol ref={list}>
          {steps
            .filter(({ name }) => name !== "decision")
            .map((step) => (
              <StepCard key={step.name} step={step} />
            ))}
          {decision !== undefined && (
            <li class={`step decision tone-${stepTones[decision.state]}`}>
              <div>
                <h3>{names.decision}</h3>
                <StateWord tone={stepTones[decision.state]}>{decision.words}</StateWord>
              </div>
              <dl>
                {answers.map((answer) => (
                  <div key={answer}>
                    <dt>{answer}</dt>
                    <dd>{rate(decisions[answer])}</dd>
                  </div>
                ))}
                <div>
                  <dt>p50, p99</dt>
                  <dd>
                    {latency(decision.p50Ms)}, {latency(decision.p99Ms)}
                  </dd>
                </div>
              </dl>
            </li>
          )}
        </ol>
      </div>
    </div>
  );
}

function StepCard({ step }: { step: Step }): JSX.Element {
  const { name, state, words, perS, p50Ms, p99Ms } = step;
  return (
    <li class={`step tone-${stepTones[state]}${state === "off" ? " off" : ""}`}>
      <h3>{names[name]}</h3>
      <StateWord tone={stepTones[state]}>{words}</StateWord>
      <p class="rate">{state === "off" ? "–" : rate(perS)}</p>
      <p class="times">
        {p50Ms !== null && <span>p50 {latency(p50Ms)}</span>}
        {p99Ms !== null && <span>p99 {latency(p99Ms)}</span>}
      </p>
    </li>
  );
}

interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** The places of the cards. They are side by side on a wide screen, and one below the other on a narrow one. */
function useLayout(list: { current: HTMLOListElement | null }): readonly Box[] | null {
  const [boxes, setBoxes] = useState<readonly Box[] | null>(null);
  useLayoutEffect(() => {
    const element = list.current;
    if (element === null) return undefined;
    const observer = new ResizeObserver(() => setBoxes(measure(element)));
    observer.observe(element);
    for (const card of element.children) observer.observe(card);
    setBoxes(measure(element));
    return () => observer.disconnect();
  }, []);
  return boxes;
}

function measure(list: HTMLElement): Box[] {
  return Array.from(list.children, (child) => {
    const { offsetLeft: left, offsetTop: top, offsetWidth, offsetHeight } = child as HTMLElement;
    return { left, top, right: left + offsetWidth, bottom: top + offsetHeight };
  });
}

function drawFlows(steps: readonly Step[], boxes: readonly Box[]): Flow[] {
  const target = boxes.at(-1);
  const cards = steps.filter(({ name }) => name !== "decision");
  if (target === undefined || boxes.length !== cards.length + 1) return [];
  const isRow = (boxes[1]?.top ?? 0) < (boxes[0]?.bottom ?? 0);
  return cards.flatMap((step, index): Flow[] => {
    const box = boxes[index];
    const next = boxes[index + 1];
    if (box === undefined || next === undefined) return [];
    // A step that is skipped has no tokens, although later steps have.
    const onward = Math.max(
      0,
      ...cards.slice(index + 1).map(({ state, perS }) => (state === "off" ? 0 : perS)),
    );
    const found: Flow[] = [];
    if (index < cards.length - 1) {
      const isPast = [step, cards[index + 1]].some(
        (card) => card?.state === "off" || (onward > 0 && card?.perS === 0),
      );
      found.push({ key: `${step.name}-on`, path: pathBetween(box, next, isRow), perS: onward, isPast });
    }
    if (step.name !== "token" && step.state !== "off") {
      const answered = Math.max(0, step.perS - onward);
      found.push({
        key: `${step.name}-out`,
        path: pathOut(box, target, index, isRow),
        perS: answered,
        isPast: false,
      });
    }
    return found;
  });
}

function pathBetween(from: Box, to: Box, isRow: boolean): string {
  if (isRow) return `M${from.right + 5} ${(from.top + from.bottom) / 2}H${to.left - 5}`;
  return `M${from.left + 28} ${from.bottom + 4}V${to.top - 4}`;
}

/** The decision is below a row of steps. Beside a column, the line leads down along the right edge. */
function pathOut(from: Box, decision: Box, index: number, isRow: boolean): string {
  const middle = (from.top + from.bottom) / 2;
  if (isRow) return `M${(from.left + from.right) / 2} ${from.bottom + 5}V${decision.top - 5}`;
  const x = from.right + 9 + index * 4;
  return `M${from.right + 4} ${middle}H${x - 6}Q${x} ${middle} ${x} ${middle + 6}V${decision.top - 4}`;
}

/** Flows differ by powers of ten, so the width follows the logarithm. */
function widthOf(perS: number): number {
  return perS <= 0 ? 1.5 : Math.min(14, 2 + 2.6 * Math.log10(1 + perS));
}
