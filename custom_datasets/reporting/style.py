"""The page's style sheet: light and dark, from a phone's width upward."""

from collections.abc import Sequence

from custom_datasets.reporting.colours import DARK, LIGHT, Colour, css, readable

_SHEET = """
:root { color-scheme: light dark; --ground: #ffffff; --panel: #f4f5f7;
  --text: #1b1f24; --soft: #5a6270; --rule: #d9dde3; --accent: #2f6db5;
  --error: #b3261e; --warning: #8a5a00; --note: #4a5568;
  --tint: 47 109 181; --tint-wrong: 200 60 50; --edge: rgb(0 0 0 / .18); }
@media (prefers-color-scheme: dark) { :root { --ground: #16191f; --panel: #20242c;
  --text: #e7e9ee; --soft: #a3abb8; --rule: #363c47; --accent: #76aef0;
  --error: #ff8f86; --warning: #f2bf5e; --note: #aab4c3;
  --tint: 84 140 214; --tint-wrong: 214 92 84; --edge: rgb(0 0 0 / .6); } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-behavior: smooth; }
body { margin: 0 auto; max-width: 1160px; padding: 24px 16px 64px;
  background: var(--ground); color: var(--text);
  font: 16px/1.5 system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif;
  overflow-wrap: anywhere; }
h1 { margin: 0; font-size: 1.75rem; line-height: 1.2; }
h2 { margin: 56px 0 12px; padding-top: 16px; border-top: 1px solid var(--rule);
  font-size: 1.35rem; line-height: 1.25; }
h3 { margin: 0; font-size: 1rem; line-height: 1.35; }
p { margin: 0 0 12px; max-width: 70ch; }
ul { margin: 0; padding: 0; list-style: none; }
code { font: .85em ui-monospace, Menlo, Consolas, monospace; }
small, .source, figcaption, caption, .hint { color: var(--soft); font-size: .85rem; }
.source { margin: 4px 0 20px; }
a { color: var(--accent); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
nav { display: flex; flex-wrap: wrap; gap: 4px 18px; }
nav a { padding: 6px 0; text-decoration: none; }
nav a:hover { text-decoration: underline; }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(100px, 1fr));
  gap: 8px; margin: 0 0 16px; }
.facts div { padding: 10px 14px; border-radius: 8px; background: var(--panel); }
.facts dt { color: var(--soft); font-size: .85rem; }
.facts dd { margin: 0; font-size: 1.4rem; line-height: 1.2;
  font-variant-numeric: tabular-nums; }
.facts .error dd { color: var(--error); } .facts .warning dd { color: var(--warning); }
.facts .words dd { font-size: 1.1rem; line-height: 1.53; }
.wide { overflow-x: auto; margin: 0 0 20px;
  background: linear-gradient(to right, var(--ground) 24px, transparent) 0 0,
  linear-gradient(to left, var(--ground) 24px, transparent) 100% 0,
  linear-gradient(to right, var(--edge), transparent) 0 0,
  linear-gradient(to left, var(--edge), transparent) 100% 0;
  background-size: 48px 100%, 48px 100%, 14px 100%, 14px 100%;
  background-repeat: no-repeat; background-attachment: local, local, scroll, scroll; }
table { border-collapse: collapse; min-width: min(100%, 300px); }
caption { padding: 0 0 8px; text-align: left; }
caption span { display: inline-block; position: sticky; left: 0;
  max-width: min(70ch, 100vw - 44px); }
th, td { padding: 6px 0 6px 16px; border-bottom: 1px solid var(--rule);
  text-align: right; vertical-align: top; font-variant-numeric: tabular-nums; }
th { font-weight: 600; } thead th { font-size: .85rem; color: var(--soft);
  vertical-align: bottom; overflow-wrap: normal; }
th:first-child { padding: 6px 8px 6px 0; text-align: left; min-width: 116px;
  overflow-wrap: break-word; }
tbody th { font-weight: 400; } tfoot th, tfoot td { border: 0; font-weight: 600; }
td { overflow-wrap: normal; white-space: nowrap; }
td small, .name small { display: block; line-height: 1.2; }
.bar { display: block; width: 100%; min-width: 34px; height: 4px; margin-top: 2px; }
.rest { fill: var(--rule); }
.name { display: inline-flex; align-items: baseline; gap: 8px; }
.name > span { max-width: 50vw; overflow-wrap: break-word; text-align: left; }
.swatch { flex: none; width: 11px; height: 11px;
  border-radius: 3px; background: var(--original, var(--soft));
  box-shadow: inset 0 0 0 1px rgb(0 0 0 / .25); }
.figures { display: grid; gap: 28px 36px; margin: 0 0 28px;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 400px), 1fr)); }
figure { margin: 0; min-width: 0; }
figure h3 { color: var(--text); } figcaption p { margin: 2px 0 8px; }
figcaption > * { display: block; } figcaption b { color: var(--text);
  font-weight: 600; }
.chart { display: block; width: 100%; max-width: 420px; height: auto; }
.chart text { fill: var(--soft); font-size: 11.5px; }
.ranges > g > text { fill: var(--text); paint-order: stroke; stroke: var(--ground);
  stroke-width: 4px; }
.grid { stroke: var(--rule); stroke-width: 1; }
.fill { fill: var(--seen, var(--accent)); }
.bubbles .fill { fill-opacity: .55; stroke: var(--ground); stroke-width: .5; }
.curve path { fill: none; stroke: var(--seen, var(--accent)); stroke-width: 2;
  stroke-linejoin: round; }
.curve.soft path { stroke: var(--soft); stroke-width: 1.5; }
.curve.dashed path { stroke-dasharray: 5 4; }
.dot { fill: var(--seen, var(--accent)); stroke: var(--ground); stroke-width: 1.5; }
.interval { display: block; width: 100%; min-width: 90px; height: 8px;
  margin-top: 4px; }
.mark-here { fill: var(--text); }
.heated { background: rgb(var(--tint) / var(--heat)); }
.heated.wrong { background: rgb(var(--tint-wrong) / var(--heat)); }
.whisker { stroke: var(--seen); stroke-width: 1.5; }
.box { fill: var(--seen, var(--accent)); fill-opacity: .45; }
.middle { stroke: var(--text); stroke-width: 2; }
.maps { display: grid; gap: 16px;
  grid-template-columns: repeat(auto-fill, minmax(min(45%, 150px), 1fr)); }
.heat { display: block; width: 100%; aspect-ratio: var(--frame);
  background: var(--panel); border: 1px solid var(--rule); }
.picture { display: block; width: 100%; aspect-ratio: var(--frame);
  border-radius: 4px; background: var(--panel); }
.gallery, .tiles, .pair, .before-after { display: grid; gap: 20px 16px; }
.gallery { grid-template-columns: repeat(auto-fill, minmax(min(100%, 320px), 1fr)); }
.tiles { grid-template-columns: repeat(auto-fill, minmax(104px, 1fr)); }
.tiles figcaption { font-size: .78rem; line-height: 1.35; }
.pair { grid-template-columns: repeat(auto-fill, minmax(min(46%, 300px), 1fr)); }
.before-after { grid-template-columns: repeat(3, minmax(0, 1fr)); margin: 0 0 28px; }
.outlines { fill: none; stroke-width: 2px; filter: drop-shadow(0 0 1px #000); }
.outlines rect { stroke: var(--original, #fff); vector-effect: non-scaling-stroke; }
.outlines .unknown, .outlines .difficult { stroke-dasharray: 5 3; }
.verdict-found, .verdict-correct { stroke-width: 1.5px; opacity: .75; }
.verdict-ignored { stroke-dasharray: 5 3; }
.verdict-missed, .verdict-confused, .verdict-false { stroke-width: 3px; }
th b { overflow-wrap: normal; }
.sides { display: grid; grid-template-columns: 1fr 1fr; gap: 8px 12px;
  max-width: 960px; margin: 0 0 28px; }
.large figcaption { font-size: .85rem; }
.large { --frame: 1;
  grid-template-columns: repeat(auto-fill, minmax(min(46%, 200px), 1fr)); }
pre { margin: 0 0 16px; padding: 10px 14px; overflow-x: auto; border-radius: 8px;
  background: var(--panel); line-height: 1.4; }
td.words { text-align: left; white-space: normal; min-width: 180px;
  overflow-wrap: anywhere; }
article > .hint { margin: 0 0 8px; } small.below { display: block;
  font-weight: 400; min-width: 130px; line-height: 1.3; }
.summary { margin: 0 0 12px; max-width: 80ch; } .summary li { margin: 0 0 6px; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 20px; margin: 0 0 14px; }
.findings { display: grid; gap: 24px 36px; margin: 0 0 24px; align-items: start;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 440px), 1fr)); }
.findings > * { min-width: 0; } .finding small { font-weight: 400; }
.finding h3 { display: flex; flex-wrap: wrap; align-items: baseline; gap: 2px 10px; }
.finding li { margin: 6px 0; } .finding li > * { display: block; }
.finding p.hint { margin: 2px 0 6px; }
.finding details { margin-top: 4px; }
summary { padding: 6px 0; color: var(--accent); cursor: pointer; }
.marks { display: flex; flex-wrap: wrap; gap: 8px; margin: 0 0 8px; }
.pair { margin: 0 0 28px; }
.mark { padding: 0 8px; border: 1px solid; border-radius: 99px; color: var(--note);
  font-size: .8rem; font-weight: 400; }
.mark.error { color: var(--error); } .mark.warning { color: var(--warning); }
.refusal { padding: 10px 14px; border-left: 3px solid var(--warning);
  background: var(--panel); }
@media (max-width: 640px) {
  .before-after { grid-template-columns: 1fr 1fr; }
  .before-after figure:first-child { grid-column: 1 / -1; }
  th, td { padding-left: 8px; } th:first-child { min-width: 92px; }
  small.below { min-width: 88px; } .interval { min-width: 72px; }
  table { font-size: .92rem; } .name { gap: 6px; }
}
"""


def style_sheet(colours: Sequence[Colour]) -> str:
    """Return the sheet, with a class ``c0``, ``c1``, ... for each colour.

    Over an image a colour is as it is; in charts it is moved away from the
    background until it can be seen there.
    """
    light = ''.join(
        f'.c{index} {{ --original: {css(colour)}; --seen: '
        f'{css(readable(colour, LIGHT))}; }}\n'
        for index, colour in enumerate(colours)
    )
    dark = ''.join(
        f'.c{index} {{ --seen: {css(readable(colour, DARK))}; }}\n'
        for index, colour in enumerate(colours)
    )
    return f'{_SHEET}{light}@media (prefers-color-scheme: dark) {{\n{dark}}}\n'
