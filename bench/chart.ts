/** Charts as SVG text: no library, legible on a light and on a dark page. */

export interface Bar {
  readonly label: string;
  readonly value: number;
  readonly min: number;
  readonly max: number;
  /** Drawn in the accent colour. */
  readonly own: boolean;
}

export interface Panel {
  readonly title: string;
  readonly bars: readonly Bar[];
}

export interface BarChart {
  readonly title: string;
  readonly subtitle: string;
  readonly unit: string;
  readonly panels: readonly Panel[];
}

const panelWidth = 420;
const labelWidth = 116;
const valueWidth = 78;
const barHeight = 15;
const barGap = 5;
const margin = 16;
const headHeight = 58;

const style = `<style>
  text { font: 12px ui-sans-serif, system-ui, sans-serif; fill: #57606a; }
  .title { font-size: 16px; font-weight: 600; fill: #24292f; }
  .panel { font-weight: 600; fill: #24292f; }
  .value { font-variant-numeric: tabular-nums; }
  .own { fill: #2f6feb; }
  .peer { fill: #8c959f; }
  .line { stroke: #2f6feb; fill: none; stroke-width: 1.5; }
  .axis, .range { stroke: #8c959f; fill: none; }
  @media (prefers-color-scheme: dark) {
    text { fill: #9198a1; }
    .title, .panel { fill: #e6edf3; }
    .own { fill: #58a6ff; }
    .peer { fill: #6e7681; }
    .line { stroke: #58a6ff; }
  }
</style>`;

/** One panel per piece of work, each with a scale of its own from zero, two panels beside each other. */
export function renderBars(chart: BarChart): string {
  const columns = chart.panels.length > 2 ? 2 : 1;
  const width = margin + columns * (panelWidth + margin);
  let y = headHeight;
  const body: string[] = [];
  for (let first = 0; first < chart.panels.length; first += columns) {
    const row = chart.panels.slice(first, first + columns);
    for (const [column, panel] of row.entries()) {
      body.push(renderPanel(panel, margin + column * (panelWidth + margin), y));
    }
    y += Math.max(...row.map((panel) => panelHeight(panel)));
  }
  return wrap([width, y + margin], chart, body);
}

function panelHeight(panel: Panel): number {
  return 30 + panel.bars.length * (barHeight + barGap) + 14;
}

function renderPanel(panel: Panel, x: number, y: number): string {
  const most = Math.max(...panel.bars.map(({ max }) => max), Number.MIN_VALUE);
  const room = panelWidth - labelWidth - valueWidth;
  const left = x + labelWidth;
  const parts = [`<text class="panel" x="${x}" y="${y + 16}">${escapeText(panel.title)}</text>`];
  for (const [index, bar] of panel.bars.entries()) {
    const top = y + 26 + index * (barHeight + barGap);
    const at = (value: number): string => round(left + (value / most) * room);
    const middle = top + barHeight / 2;
    parts.push(
      `<text x="${left - 8}" y="${middle + 4}" text-anchor="end">${escapeText(bar.label)}</text>`,
      `<rect class="${bar.own ? "own" : "peer"}" x="${left}" y="${top}" ` +
        `width="${round((bar.value / most) * room)}" height="${barHeight}" rx="2"/>`,
    );
    if (bar.max > bar.min) {
      parts.push(`<path class="range" d="M${at(bar.min)} ${middle}H${at(bar.max)}"/>`);
    }
    const behind = Number(at(bar.max)) + 6;
    parts.push(`<text class="value" x="${behind}" y="${middle + 4}">${compact(bar.value)}</text>`);
  }
  const bottom = y + 26 + panel.bars.length * (barHeight + barGap);
  parts.push(`<path class="axis" d="M${left} ${y + 22}V${bottom}"/>`);
  return parts.join("\n");
}

export interface LineChart {
  readonly title: string;
  readonly subtitle: string;
  readonly unit: string;
  /** One value per second. */
  readonly values: readonly number[];
}

const plotWidth = 760;
const plotHeight = 220;
const axisWidth = 64;

export function renderLine(chart: LineChart): string {
  const most = niceAbove(Math.max(...chart.values, 1));
  const left = margin + axisWidth;
  const bottom = headHeight + plotHeight;
  const x = (index: number): number => left + (index / Math.max(1, chart.values.length - 1)) * plotWidth;
  const y = (value: number): number => bottom - (value / most) * plotHeight;
  const body: string[] = [];
  for (const share of [0, 0.25, 0.5, 0.75, 1]) {
    const at = round(y(most * share));
    body.push(
      `<path class="axis" opacity="0.3" d="M${left} ${at}H${left + plotWidth}"/>`,
      `<text class="value" x="${left - 8}" y="${Number(at) + 4}" text-anchor="end">${compact(most * share)}</text>`,
    );
  }
  const seconds = chart.values.length;
  for (const share of [0, 0.25, 0.5, 0.75, 1]) {
    const at = round(left + share * plotWidth);
    body.push(`<text x="${at}" y="${bottom + 18}" text-anchor="middle">${Math.round(seconds * share)} s</text>`);
  }
  const points = chart.values.map((value, index) => `${round(x(index))},${round(y(value))}`);
  body.push(`<polyline class="line" points="${points.join(" ")}"/>`);
  return wrap([left + plotWidth + 2 * margin, bottom + 40], chart, body);
}

type Size = readonly [width: number, height: number];

function wrap([width, height]: Size, chart: LineChart | BarChart, body: readonly string[]): string {
  const { title, subtitle, unit } = chart;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}"
     role="img" aria-label="${escapeText(title)}">
${style}
<text class="title" x="${margin}" y="26">${escapeText(title)}</text>
<text x="${margin}" y="45">${escapeText(`${unit}; ${subtitle}`)}</text>
${body.join("\n")}
</svg>
`;
}

/** The least of 1, 2, 2.5, 5 times a power of ten that is not below `value`. */
export function niceAbove(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  for (const factor of [1, 2, 2.5, 5]) if (factor * power >= value) return factor * power;
  return 10 * power;
}

/** Three digits: 12.3 k, 1.05 M. */
export function compact(value: number): string {
  const [divisor, suffix] = value >= 999_500 ? [1e6, " M"] : value >= 999.5 ? [1e3, " k"] : [1, ""];
  return `${Number((value / divisor).toPrecision(3))}${suffix}`;
}

function round(value: number): string {
  return value.toFixed(1);
}

function escapeText(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
