import { client, type Answer } from '$lib/api';

type Value = string | number;

export interface Read<T> extends Answer<T> {
	/** The answer as the server wrote it: numbers have all their digits in it. */
	text: string;
}

/** Reads one thing, with the text of the answer. `T` is the document's shape of what stands at `path`. */
export async function readRaw<T>(path: `/api/v1/${string}`, parts: Record<string, Value>): Promise<Read<T>> {
	const heard: Heard = { text: '', etag: null, status: 0, headers: new Headers() };
	const data = await listening(heard).untyped<T>('get', path, { path: parts });
	return { data, ...heard };
}

/** Sends a body that is put together from texts of JSON, as they are. */
export async function sendRaw<T>(
	method: 'put' | 'post' | 'patch',
	path: `/api/v1/${string}`,
	parts: Record<string, Value>,
	body: Record<string, string>,
	options: { ifMatch?: string | null; once?: string } = {}
): Promise<T> {
	const bytes = new Blob([`{${Object.entries(body).map(([name, json]) => `${JSON.stringify(name)}:${json}`).join(',')}}`]);
	return listening({ text: '', etag: null, status: 0, headers: new Headers() }).untyped<T>(method, path, {
		path: parts,
		bytes,
		contentType: 'application/json',
		...options
	});
}

type Heard = Omit<Read<unknown>, 'data'>;

/** The one client, with an ear at its `fetch`: it parses, and what it parsed is kept beside. */
function listening(heard: Heard) {
	return client(async (...asked) => {
		const response = await globalThis.fetch(...asked);
		heard.text = await response.clone().text();
		heard.status = response.status;
		heard.headers = response.headers;
		heard.etag = response.headers.get('etag');
		return response;
	});
}
