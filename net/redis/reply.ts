/** A reply as a client sees it, of either protocol. Texts have one code unit per byte. */
export type Reply =
  | { readonly kind: "simple"; readonly text: string }
  | { readonly kind: "error"; readonly text: string }
  | { readonly kind: "integer"; readonly value: bigint }
  | { readonly kind: "bulk"; readonly bytes: Uint8Array }
  | { readonly kind: "null" }
  | { readonly kind: "boolean"; readonly value: boolean }
  | { readonly kind: "double"; readonly value: number }
  | { readonly kind: "verbatim"; readonly format: string; readonly bytes: Uint8Array }
  | { readonly kind: "array" | "set" | "push"; readonly items: readonly Reply[] }
  | { readonly kind: "map"; readonly entries: readonly (readonly [Reply, Reply])[] };

/** One code unit per byte. */
export function textOf(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i++) text += String.fromCharCode(bytes[i] as number);
  return text;
}

/** A reply on one line, for people: traces, stories and failing tests. */
export function showReply(reply: Reply): string {
  switch (reply.kind) {
    case "simple":
      return reply.text;
    case "error":
      return `(error) ${reply.text}`;
    case "integer":
      return `(integer) ${reply.value}`;
    case "bulk":
    case "verbatim":
      return JSON.stringify(textOf(reply.bytes));
    case "null":
      return "(nil)";
    case "boolean":
      return reply.value ? "(true)" : "(false)";
    case "double":
      return `(double) ${reply.value}`;
    case "array":
    case "set":
    case "push":
      return `[${reply.items.map(showReply).join(", ")}]`;
    case "map":
      return `{${reply.entries.map(([key, value]) => `${showReply(key)}: ${showReply(value)}`).join(", ")}}`;
  }
}
