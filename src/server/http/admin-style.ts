import { hash } from "node:crypto";

/** The style sheet of the status page. It follows the colour scheme of the reader, and fits small screens. */
export const adminStyle = `
:root { color-scheme: light dark; --ink: light-dark(#1b1f24, #e6e9ed); --dim: light-dark(#5a6470, #9aa4b0);
  --line: light-dark(#e0e4e9, #2c323a); --page: light-dark(#f6f7f9, #101317); --card: light-dark(#fff, #181c22);
  --good: light-dark(#1a7f42, #4cc38a); --bad: light-dark(#c62a2f, #ff7a72); --warn: light-dark(#946200, #f1b24a) }
* { box-sizing: border-box }
body { background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 66rem;
  padding: 2rem 1.25rem 3rem }
h1 { font-size: 1.75rem; line-height: 1.2; margin: .2rem 0 .4rem }
h1::before { content: ""; display: inline-block; width: .62em; height: .62em; border-radius: 50%; background: currentColor;
  margin-right: .45em }
h2 { font-size: .8rem; letter-spacing: .06em; text-transform: uppercase; color: var(--dim); margin: 2.2rem 0 .6rem }
p { margin: 0 } .dim, th { color: var(--dim) } .ok { color: var(--good) } .degraded { color: var(--warn) }
.unavailable, .alarm { color: var(--bad) }
code, td { font-family: ui-monospace, "SF Mono", Menlo, Consolas, monospace; font-size: .84rem; overflow-wrap: anywhere }
.cards { display: grid; gap: .75rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 14.5rem), 1fr)) }
.small { grid-template-columns: repeat(auto-fit, minmax(10rem, 1fr)) }
.card { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .8rem 1rem; overflow-wrap: anywhere }
.card b { display: flex; justify-content: space-between; font-weight: 600 }
.card .figure { display: block; font-size: 1.35rem; font-variant-numeric: tabular-nums }
.card p { font-size: .87rem }
.table { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; overflow-x: auto; padding: .2rem 1rem }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: .4rem 1.2rem .4rem 0; border-bottom: 1px solid var(--line); white-space: nowrap }
th { font-size: .8rem; font-weight: 500 } tr:last-child > td { border-bottom: 0 }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; margin: 1rem 0 0 } dt { color: var(--dim) } dd { margin: 0 }`;

/** The policy allows this style sheet and nothing else: no script, no frame, no form, no other source. */
export const contentSecurityPolicy: string =
  `default-src 'none'; style-src 'sha256-${hash("sha256", adminStyle, "base64")}'; ` +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
