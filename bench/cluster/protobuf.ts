/** As much of the wire format of Protocol Buffers 3 as etcd's requests and answers take. */
export class ProtobufWriter {
  readonly #parts: Buffer[] = [];

  integer(field: number, value: number): this {
    this.#parts.push(varint(field * 8), varint(value));
    return this;
  }

  bytes(field: number, bytes: Uint8Array): this {
    this.#parts.push(varint(field * 8 + 2), varint(bytes.length), Buffer.from(bytes));
    return this;
  }

  end(): Buffer {
    return Buffer.concat(this.#parts);
  }
}

export interface ProtobufField {
  readonly field: number;
  readonly integer: number;
  readonly bytes: Buffer;
}

const none = Buffer.alloc(0);

/** Integers above 2^53 lose their last digits. */
export function readProtobuf(message: Buffer): ProtobufField[] {
  const fields: ProtobufField[] = [];
  let at = 0;
  const next = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = message.readUInt8(at++);
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < message.length) {
    const tag = next();
    const field = Math.floor(tag / 8);
    const type = tag % 8;
    if (type === 0) {
      fields.push({ field, integer: next(), bytes: none });
    } else if (type === 2) {
      const length = next();
      fields.push({ field, integer: 0, bytes: message.subarray(at, at + length) });
      at += length;
    } else {
      throw new Error(`protobuf: a field of type ${type}`);
    }
  }
  return fields;
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 128) {
    bytes.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
  return Buffer.from(bytes);
}
