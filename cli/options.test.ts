// Goal: every malformed argument is refused with a line that names it and says what would do.
import { expect, test } from "vitest";
import { describeError, exitCode, exitCodeOf } from "./exit-code.ts";
import { type Options, parseOptions } from "./options.ts";

const table = { port: "value", addr: "value", time: "value", level: "value", json: "flag" } as const;

function refusal(argv: readonly string[], ask: (options: Options) => unknown = () => null): string {
  try {
    ask(parseOptions(argv, table));
  } catch (error) {
    expect(exitCodeOf(error)).toBe(exitCode.usage);
    return describeError(error);
  }
  return "accepted";
}

test.each([
  [["--jsno"], "unknown option --jsno (did you mean --json?)"],
  [["--zebra"], "unknown option --zebra"],
  [["-x"], "unknown option -x"],
  [["--__proto__"], "unknown option --__proto__"],
  [["--port"], "--port needs a value"],
  [["--port", "--json"], "--port needs a value"],
  [["--json=yes"], "--json takes no value"],
  [["--json", "--json"], "--json is given twice"],
  [["--port", "1", "--port", "2"], "--port is given twice"],
  [["stray"], 'unexpected argument "stray"'],
])("%j is refused", (argv, line) => {
  expect(refusal(argv)).toBe(line);
});

test.each(["abc", "99999", "-1", "0x10", "1e3", "6379.5", " 6379", "", "+1", "007", "1_000", "٣"])(
  "port %j is no port",
  (port) => {
    const line = `--port: "${port}" must be an integer between 0 and 65535 inclusive`;
    expect(refusal([`--port=${port}`], (options) => options.integer("port", 0, 65_535))).toBe(line);
  },
);

test("a port at either end is taken", () => {
  expect(parseOptions(["--port", "0"], table).integer("port", 0, 65_535)).toBe(0);
  expect(parseOptions(["--port=65535"], table).integer("port", 0, 65_535)).toBe(65_535);
  expect(parseOptions([], table).integer("port", 0, 65_535)).toBeNull();
});

test.each([
  ["127.0.0.1:6380", { host: "127.0.0.1", port: 6380 }],
  ["[::1]:0", { host: "::1", port: 0 }],
  ["localhost:1", { host: "localhost", port: 1 }],
])("address %j", (text, address) => {
  expect(parseOptions(["--addr", text], table).address("addr")).toEqual(address);
});

test.each(["6380", "::1:6380", "host:", ":6380", "[::1]6380", "host:99999", "a b:1", "host:1:2"])(
  "address %j is refused",
  (text) => {
    expect(refusal([`--addr=${text}`], (options) => options.address("addr"))).toMatch(/^--addr: /);
  },
);

test.each([
  ["500ms", 500],
  ["60s", 60_000],
  ["5m", 300_000],
  ["720h", 2_592_000_000],
])("duration %j", (text, ms) => {
  expect(parseOptions(["--time", text], table).durationMs("time")).toBe(ms);
});

test.each(["60", "0s", "-1s", "1.5h", "721h", "1d", "", "s", "1e99s"])("duration %j is refused", (text) => {
  expect(refusal([`--time=${text}`], (options) => options.durationMs("time"))).toMatch(/is not a duration/);
});

test("a choice is one of its list", () => {
  const choices = ["sync", "interval", "none"] as const;
  expect(parseOptions(["--level", "none"], table).oneOf("level", choices)).toBe("none");
  const line = '--level: "snyc" is none of sync, interval, none (did you mean sync?)';
  expect(refusal(["--level", "snyc"], (options) => options.oneOf("level", choices))).toBe(line);
});

test("a text is not empty", () => {
  expect(refusal(["--level", ""], (options) => options.text("level"))).toBe("--level: must not be empty");
});
