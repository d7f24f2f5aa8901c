/** The name of log segment `number`, also when it is kept as a value file. */
export function walName(number: number): string {
  return `wal-${String(number).padStart(6, "0")}.log`;
}
