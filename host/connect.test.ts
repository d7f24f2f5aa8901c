// Goal: a program that connects with a wrong file, or wrong words, is told at once what is wrong and where.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, expect, test } from "vitest";
import { connect } from "./connect.ts";

const directory = mkdtempSync(join(tmpdir(), "nokv-connect-"));
const path = join(directory, "cluster.json");
const topology = {
  coordinator: { addr: "127.0.0.1:1", work_dir: "./coordinator" },
  store_work_dir_template: "./store-{id}",
  stores: [{ store_id: 1, addr: "127.0.0.1:2" }],
  regions: [],
};

afterAll(() => rmSync(directory, { recursive: true }));

test("a file that cannot be read, or makes no sense", () => {
  const missing = join(directory, "none.json");
  expect(() => connect(missing)).toThrow(
    expect.objectContaining({ code: "NOKV_NOT_FOUND", message: `the topology ${missing} cannot be read: ENOENT` }),
  );
  expect(() => connect(directory)).toThrow(expect.objectContaining({ code: "NOKV_IO" }));
  expect(() => connect(undefined as unknown as string)).toThrow(
    expect.objectContaining({ code: "NOKV_INVALID_ARGUMENT" }),
  );
  writeFileSync(path, "{");
  expect(() => connect(path)).toThrow(/cluster\.json: this is not JSON/);
});

test("options that do not exist, or make no sense", () => {
  writeFileSync(path, JSON.stringify(topology));
  const wrong = (options: object): unknown => {
    return expect(() => connect(path, options)).toThrow(expect.objectContaining({ code: "NOKV_INVALID_ARGUMENT" }));
  };
  wrong({ operationMS: 5 });
  wrong({ operationMs: 1.5 });
  wrong({ operationMs: 0 });
  wrong({ scope: "hosts" });
});

test("it closes what it opened, however it was named, and says so afterwards", async () => {
  writeFileSync(path, JSON.stringify(topology));
  const client = connect(pathToFileURL(path), { operationMs: undefined as unknown as number });
  {
    using held = client;
    expect(held).toBe(client);
  }
  await expect(client.get("a")).rejects.toMatchObject({ code: "NOKV_CLOSED" });
});
