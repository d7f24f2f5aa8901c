import { expect, test } from "vitest";
import { Ledger } from "./ledger.ts";

// Goal: every way to break "acknowledged is durable, deleted is gone, nothing is invented" is told, and no
// read that a crash or an overlap can explain is.

test("what was acknowledged is there, or what replaced it", () => {
  const ledger = new Ledger();
  ledger.begin("k", "a", 0).acknowledge(1);
  ledger.begin("k", "b", 2).acknowledge(3);
  expect(ledger.observe("k", "b", 4, 5)).toBeNull();
  expect(ledger.observe("k", "a", 4, 5)).toMatch(/lost write/);
  expect(ledger.observe("k", null, 4, 5)).toMatch(/lost write/);
  expect(ledger.observe("k", "c", 4, 5)).toMatch(/nobody ever wrote/);
  expect(ledger.observe("other", "a", 4, 5)).toMatch(/nobody ever wrote/);
});

test("a read that overlaps a write may show it or what was before", () => {
  const ledger = new Ledger();
  ledger.begin("k", "a", 0).acknowledge(1);
  ledger.begin("k", "b", 2).acknowledge(9);
  expect(ledger.observe("k", "a", 4, 5)).toBeNull();
  expect(ledger.observe("k", "b", 4, 5)).toBeNull();
  expect(ledger.observe("k", "b", 0, 1)).toMatch(/before it was written/);
});

test("an acknowledged delete stays", () => {
  const ledger = new Ledger();
  ledger.begin("k", "a", 0).acknowledge(1);
  ledger.begin("k", null, 2).acknowledge(3);
  expect(ledger.observe("k", null, 4, 5)).toBeNull();
  expect(ledger.observe("k", "a", 4, 5)).toMatch(/resurrected/);
});

test("a write of unknown outcome may be there or not, within its bound", () => {
  const ledger = new Ledger();
  ledger.begin("k", "a", 0).acknowledge(1);
  ledger.begin("k", "b", 2).giveUp(6);
  expect(ledger.observe("k", "a", 9, 10)).toBeNull();
  expect(ledger.observe("k", "b", 9, 10)).toBeNull();
  ledger.begin("k", "c", 7).acknowledge(8);
  expect(ledger.observe("k", "b", 9, 10)).toMatch(/lost write/);
});

test("a delete of unknown outcome explains an absence, unless it was over before the put", () => {
  const ledger = new Ledger();
  ledger.begin("k", null, 0).giveUp(2);
  ledger.begin("k", "a", 3).acknowledge(4);
  expect(ledger.observe("k", null, 9, 10)).toMatch(/lost write/);
  ledger.begin("k", null, 5);
  expect(ledger.observe("k", null, 9, 10)).toBeNull();
});

test("a refused write is never seen, and its delete explains nothing", () => {
  const ledger = new Ledger();
  ledger.begin("k", "a", 0).acknowledge(1);
  ledger.begin("k", "b", 2).refuse(3);
  ledger.begin("k", null, 2).refuse(3);
  expect(ledger.observe("k", "b", 4, 5)).toMatch(/definitely refused/);
  expect(ledger.observe("k", null, 4, 5)).toMatch(/lost write/);
});

test("an outcome is settled once", () => {
  const ledger = new Ledger();
  const write = ledger.begin("k", "a", 0);
  write.giveUp(3);
  write.acknowledge(9);
  expect(write.outcome).toBe("unknown");
  expect(write.returnedUs).toBe(3);
});
