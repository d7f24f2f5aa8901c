const chunkBytes = 4096;

/** A key as text, one code unit per byte: equal texts are equal keys, and text order is byte order. */
export function keyText(key: Uint8Array): string {
  if (key.length <= chunkBytes) return String.fromCharCode(...key);
  let text = "";
  for (let at = 0; at < key.length; at += chunkBytes) {
    text += String.fromCharCode(...key.subarray(at, at + chunkBytes));
  }
  return text;
}

/** The key that `text` is of. */
export function keyOfText(text: string): Uint8Array {
  const key = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) key[i] = text.charCodeAt(i);
  return key;
}
