import { PiCloudError, ids } from './error.js';
import type { SentBody } from './types.js';

/** What is sent as it is; anything else is sent as JSON. */
export type RawBody = Blob | ArrayBuffer | ArrayBufferView<ArrayBuffer> | URLSearchParams | FormData | string;

/** A body for `fetch`, and its content type where `fetch` would not know it. */
export function encode(body: unknown): { body: SentBody | null; type: string | null } {
	if (body === undefined) return { body: null, type: null };
	if (isRaw(body)) return { body, type: null };
	return { body: JSON.stringify(body), type: 'application/json' };
}

function isRaw(body: unknown): body is RawBody {
	if (typeof body === 'string' || ArrayBuffer.isView(body)) return true;
	return [Blob, ArrayBuffer, URLSearchParams, FormData].some((kind) => body instanceof kind);
}

/** An answer's body by its content type: JSON as its value, text as a string, anything else as a blob; nothing as `undefined`. */
export async function decode(response: Response): Promise<unknown> {
	const type = (response.headers.get('content-type') ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
	const isJson = /^[\w.+-]+\/([\w.+-]+\+)?json$/.test(type);
	if (!isJson && !type.startsWith('text/')) {
		const blob = await response.blob();
		return blob.size === 0 ? undefined : blob;
	}
	const text = await response.text();
	if (!isJson) return text;
	if (text === '') return undefined;
	try {
		return JSON.parse(text) as unknown;
	} catch (cause) {
		const known = { ...ids(response.headers), body: text, cause };
		throw new PiCloudError(response.status, 'invalid_answer', 'The answer says that it is JSON, and is not.', known);
	}
}
