/** What a client asks: the first line of a request. Headers are read over, a body is not expected. */
export interface HttpRequest {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
}

export interface HttpResponse {
  readonly status: 200 | 400 | 404 | 405 | 431 | 503;
  readonly contentType: string;
  readonly body: string;
}

const statusText: Readonly<Record<HttpResponse["status"], string>> = {
  200: "OK",
  400: "Bad Request",
  404: "Not Found",
  405: "Method Not Allowed",
  431: "Request Header Fields Too Large",
  503: "Service Unavailable",
};

export const plainText = "text/plain; charset=utf-8";

/** Whether `bytes[0, length)` ends the headers of a request: an empty line, with CRLF or LF. */
export function hasHeaders(bytes: Uint8Array, length: number): boolean {
  let newlines = 0;
  for (let i = 0; i < length; i++) {
    const byte = bytes[i];
    if (byte === 0x0a) newlines++;
    else if (byte !== 0x0d) newlines = 0;
    if (newlines === 2) return true;
  }
  return false;
}

/** Null: this is no HTTP/1 request. */
export function parseRequest(text: string): HttpRequest | null {
  const match = /^([A-Z]{1,16}) (\/[\x21-\x7e]*) HTTP\/1\.[01]\r?\n/.exec(text);
  if (match === null) return null;
  const [, method = "", target = ""] = match;
  return { method, path: target.split("?", 1)[0] ?? target };
}

/** Every response closes its connection: whoever scrapes comes every few seconds, once. */
export function encodeResponse({ status, contentType, body }: HttpResponse, withBody: boolean): Uint8Array {
  const encoder = new TextEncoder();
  const content = encoder.encode(body);
  const head = encoder.encode(
    `HTTP/1.1 ${status} ${statusText[status]}\r\n` +
      `Content-Type: ${contentType}\r\n` +
      `Content-Length: ${content.length}\r\n` +
      "Cache-Control: no-store\r\nConnection: close\r\n\r\n",
  );
  if (!withBody) return head;
  const bytes = new Uint8Array(head.length + content.length);
  bytes.set(head);
  bytes.set(content, head.length);
  return bytes;
}
