/**
 * The one client of the control plane (`/api/v1`): paths, parameters, bodies and answers are those of the generated
 * schema. Same origin, cookie session; nothing of the credential is kept here. Every failure, the network's included,
 * is an `ApiError` that carries the API's envelope as it came; only a request that was given up throws `AbortError`.
 */
import { ApiError, isAborted, refusal } from './error';
import { address, type Value } from './path';
import type { Always, Answer, AnswerOf, Arguments, Bytes, Method, PathOf } from './types';

export type Fetch = typeof globalThis.fetch;

/** Of an operation that the schema does not know. */
export interface LooseOptions extends Always {
	path?: Record<string, Value>;
	query?: Record<string, Value>;
	body?: unknown;
	bytes?: Bytes;
}

/** Told of a read without a session, so that whoever shows pages can lead to the login. */
type Unauthenticated = () => void;
let unauthenticated: Unauthenticated | null = null;
const nobody: Unauthenticated = () => undefined;

/** The shell's: where a page goes when a read says that the session has ended. */
export function onUnauthenticated(then: Unauthenticated | null): void {
	unauthenticated = then;
}

export function client(fetch: Fetch, ended: Unauthenticated = nobody) {
	const typed =
		<M extends Method>(method: M) =>
		async <P extends PathOf<M>>(path: P, ...[options]: Arguments<M, P>): Promise<AnswerOf<M, P>> =>
			(await send<AnswerOf<M, P>>(fetch, ended, method, path, options as LooseOptions | undefined)).data;

	return {
		get: typed('get'),
		put: typed('put'),
		post: typed('post'),
		patch: typed('patch'),
		delete: typed('delete'),
		/** The same with status, ETag and headers. */
		answer: <M extends Method, P extends PathOf<M>>(
			method: M,
			path: P,
			...[options]: Arguments<M, P>
		): Promise<Answer<AnswerOf<M, P>>> => send(fetch, ended, method, path, options as LooseOptions | undefined),
		/** An operation that the schema does not have yet: the caller says what it answers. */
		untyped: async <T>(method: Method, path: `/api/v1/${string}`, options?: LooseOptions): Promise<T> =>
			(await send<T>(fetch, ended, method, path, options)).data
	};
}

export type Client = ReturnType<typeof client>;

/** For components. Load functions make their own of the `fetch` that they are given. */
export const api = client(
	(...asked) => globalThis.fetch(...asked),
	() => unauthenticated?.()
);

/** Where a GET is, for links that download. */
export function href<P extends PathOf<'get'>>(path: P, ...[options]: Arguments<'get', P>): string {
	const { path: parts, query } = (options ?? {}) as LooseOptions;
	return address(path, parts, query);
}

async function send<T>(
	fetch: Fetch,
	ended: Unauthenticated,
	method: Method,
	path: string,
	options: LooseOptions = {}
): Promise<Answer<T>> {
	const target = address(path, options.path, options.query);
	const init = request(method, options);
	let response: Response;
	let text: string;
	try {
		response = await fetch(target, init);
		text = await response.text();
	} catch (thrown) {
		if (isAborted(thrown)) throw thrown;
		throw new ApiError(0, 'unreachable', 'No answer from the server. Is it running, and is this device online?');
	}
	if (!response.ok) {
		// What somebody was writing must not be lost to another page: there the refusal has a link to the login.
		if (response.status === 401 && method === 'get') ended();
		throw refusal(response.status, text, response.headers);
	}
	const { status, headers } = response;
	return { data: parsed(text, `${method.toUpperCase()} ${target}`, status) as T, status, etag: headers.get('etag'), headers };
}

function request(method: Method, options: LooseOptions): RequestInit {
	const headers: Record<string, string> = { accept: 'application/json' };
	const init: RequestInit = {
		method: method.toUpperCase(),
		headers,
		credentials: 'same-origin',
		cache: 'no-store',
		redirect: 'error'
	};
	if (options.signal) init.signal = options.signal;
	if (options.ifMatch) headers['if-match'] = options.ifMatch;
	if (options.once) headers['idempotency-key'] = options.once;
	if (options.bytes !== undefined) {
		const own = options.bytes instanceof Blob ? options.bytes.type : '';
		headers['content-type'] = options.contentType ?? (own || 'application/octet-stream');
		init.body = options.bytes;
	} else if (options.body !== undefined) {
		headers['content-type'] = 'application/json';
		init.body = JSON.stringify(options.body);
	}
	return init;
}

function parsed(text: string, asked: string, status: number): unknown {
	if (text === '') return undefined;
	try {
		return JSON.parse(text);
	} catch {
		throw new ApiError(status, 'unreadable', `The answer to ${asked} is not JSON.`);
	}
}
