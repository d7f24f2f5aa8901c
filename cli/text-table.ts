/** Rows under a heading, in columns as wide as they need to be; numbers to the right. Ends in a newline. */
export function textTable(heading: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const widths = heading.map((name, i) => Math.max(name.length, ...rows.map((row) => String(row[i] ?? "").length)));
  const isNumber = heading.map((_, i) => rows.length > 0 && rows.every((row) => typeof row[i] === "number"));
  const line = (cells: readonly (string | number)[]): string => {
    const texts = widths.map((width, i) => {
      const text = String(cells[i] ?? "");
      return isNumber[i] === true ? text.padStart(width) : text.padEnd(width);
    });
    return `${texts.join("  ").trimEnd()}\n`;
  };
  return [heading, ...rows].map(line).join("");
}
