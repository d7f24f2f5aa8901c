// Goal: commands and answers survive their bytes; bytes that nobody wrote are refused by the field that is wrong.
// Method: fast-check draws everything that can be said; bytes are broken at random and by hand; golden bytes.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ByteReader, MalformedError } from "../../core/bytes/byte-reader.ts";
import { ByteWriter } from "../../core/bytes/byte-writer.ts";
import type { Command } from "../percolator/command.ts";
import { bytes, put } from "../percolator/stage.test-support.ts";
import { readCommands, writeCommands } from "./command-codec.ts";
import { answer, command } from "./commands.test-support.ts";
import { txnMethod } from "./methods.ts";
import { readMutation, writeMutation } from "./mutation-codec.ts";
import { readAnswers, writeAnswers } from "./response-codec.ts";

function written(write: (writer: ByteWriter) => void): Uint8Array {
  const writer = new ByteWriter();
  write(writer);
  return writer.toBytes();
}

function hex(image: Uint8Array): string {
  return [...image].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

const image = (commands: readonly Command[]): Uint8Array => written((writer) => writeCommands(writer, commands));
const commandLists = fc.array(command, { maxLength: 4 });
const answerLists = fc.array(answer, { maxLength: 4 });

/** Each byte changed or cut: what is read is what was written, or refused by name; never anything else. */
function expectStrict<T>(given: Uint8Array, read: (image: Uint8Array) => T, write: (value: T) => Uint8Array): void {
  let value: T;
  try {
    value = read(given);
  } catch (error) {
    expect(error).toBeInstanceOf(MalformedError);
    return;
  }
  expect(hex(write(value))).toBe(hex(given));
}

test("methods have numbers of their own between 96 and 127", () => {
  const numbers = Object.values(txnMethod);
  expect(new Set(numbers).size).toBe(numbers.length);
  expect(numbers.every((number) => number >= 96 && number <= 127)).toBe(true);
});

describe("commands", () => {
  test("survive their bytes", () => {
    fc.assert(
      fc.property(commandLists, (given) => {
        expect(readCommands(image(given))).toEqual(given);
      }),
      { numRuns: 2_000 },
    );
  });

  test("whatever is changed in their bytes, what is read is what stands there or an error that names a field", () => {
    const edit = fc.tuple(fc.nat(), fc.nat(255));
    fc.assert(
      fc.property(commandLists, fc.array(edit, { maxLength: 3 }), fc.nat(), (given, edits, cut) => {
        const broken = image(given);
        for (const [at, byte] of edits) broken[at % broken.length] = byte;
        const left = broken.subarray(0, cut % 4 === 0 ? cut % broken.length : broken.length);
        expectStrict(left, readCommands, image);
      }),
      { numRuns: 3_000 },
    );
    fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), (noise) => expectStrict(noise, readCommands, image)));
  });

  test("their bytes do not change", () => {
    const increment: Command = {
      kind: "atomic",
      opId: 5,
      commitTs: 2 ** 40,
      mutation: { kind: "increment", key: bytes("n"), delta: -2n },
      valueBytesMax: 200,
    };
    const golden = "0101" + "09" + "0500000000000000" + "0000000000010000" + "c801" + "04016e" + "010200000000000000";
    expect(hex(image([increment]))).toBe(golden);
    const prewrite: Command = {
      kind: "prewrite",
      startTs: 7,
      primary: bytes("a"),
      mutations: [put("a", "x", 9), { kind: "delete", key: bytes("b") }],
      ttlMs: 300,
      txnSize: 2,
      minCommitTs: 0,
      checks: [{ kind: "version", key: bytes("c"), version: 3, alive: true }],
    };
    expect(hex(image([prewrite]))).toBe(
      "0101" + "02" + "0700000000000000" + "0161" + "ac02" + "02" + "0000000000000000" +
        "02" + "0001610178" + "09" + "010162" + "01" + "010163" + "0300000000000000" + "01",
    );
  });

  test("what would stop every replica that applies it is refused by its name", () => {
    const field = (given: Uint8Array): string => {
      try {
        readCommands(given);
      } catch (error) {
        if (error instanceof MalformedError) return error.message;
        throw error;
      }
      return "read";
    };
    const tooLong: Command = { kind: "commit", startTs: 1, commitTs: 2, keys: [new Uint8Array(32_762)] };
    expect(field(image([tooLong]))).toMatch(/commit key is 32762: a key too long/);
    const noKey: Command = {
      kind: "atomic",
      opId: 1,
      commitTs: 2,
      valueBytesMax: 1,
      mutation: { kind: "delete", keys: [] },
    };
    expect(field(image([noKey]))).toMatch(/count of deleted key is 0/);
    const noLimit: Command = { kind: "scan-locks", range: { start: bytes(""), end: null }, belowTs: 1, limit: 0 };
    expect(field(image([noLimit]))).toMatch(/limit is 0/);
    expect(field(Uint8Array.of(2, 0))).toMatch(/command format is 2/);
    expect(field(Uint8Array.of(1, 0xff, 0x7f))).toMatch(/count of commands is 16383: more than 2/);
  });

  test("a lifetime out of all bounds means what the bounds mean", () => {
    const mutation = (atMs: number): Uint8Array =>
      written((writer) =>
        writeMutation(writer, { kind: "expire", key: bytes("k"), expiry: { kind: "at", atMs }, condition: "always" }),
      );
    const read = (atMs: number): unknown => readMutation(new ByteReader(mutation(atMs)));
    expect(read(-5)).toMatchObject({ expiry: { atMs: 1 } });
    expect(read(2 ** 60)).toMatchObject({ expiry: { atMs: Number.MAX_SAFE_INTEGER } });
  });
});

describe("answers", () => {
  const answers = (given: Parameters<typeof writeAnswers>[1]): Uint8Array =>
    written((writer) => writeAnswers(writer, given));

  test("survive their bytes", () => {
    fc.assert(
      fc.property(answerLists, (given) => {
        expect(readAnswers(answers(given))).toEqual(given);
      }),
      { numRuns: 2_000 },
    );
  });

  test("whatever is changed in their bytes, what is read is what stands there or an error that names a field", () => {
    const responses = answerLists.map((list) => list.filter(({ kind }) => kind === "response"));
    fc.assert(
      fc.property(responses, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 }), (given, edits) => {
        const broken = answers(given);
        for (const [at, byte] of edits) broken[at % broken.length] = byte;
        // Behind a known error there may be what a later version adds.
        let isError = false;
        expectStrict(
          broken,
          (given) => {
            const read = readAnswers(given);
            isError = read.some(({ kind }) => kind === "error");
            return read;
          },
          (value) => (isError ? broken : answers(value)),
        );
      }),
      { numRuns: 3_000 },
    );
  });
});
