import { address, base } from './address.js';
import { decode, encode } from './body.js';
import { REAL, backoffMs, pause, unless, type Clock } from './clock.js';
import { PiCloudError, ids, refusal, spread, unreachable } from './error.js';
import * as limits from './limits.js';
import { Subscription, type SubscribeOptions } from './subscription.js';
import type { Answer, CallOptions, Credentials, FreeAnswer, FreeCall, RouteAnswer, RouteCall, Routes, SentBody, SentHeaders, Token } from './types.js';

export interface ClientOptions {
	/** The app's address, with a path before all others if there is one. Left out, in a page: the page's origin. */
	baseUrl?: string | URL | undefined;
	/** Sent as a bearer with every call, for the app's scripts to judge. Not with subscriptions, which have tokens of their own. */
	token?: Token | undefined;
	/** Sent with every call. */
	headers?: SentHeaders | undefined;
	/** Whether cookies go along, as `fetch` has it. */
	credentials?: Credentials | undefined;
	fetch?: typeof globalThis.fetch | undefined;
	/** For tests. */
	clock?: Clock | undefined;
}

export interface Client<R = {}> {
	/** Calls a script and gives the body of its answer. Throws `PiCloudError`, and what the signal says when it is aborted. */
	call: [keyof R] extends [never] ? FreeCall : RouteCall<R>;
	/** The same, with what stands around the body. */
	answer: [keyof R] extends [never] ? FreeAnswer : RouteAnswer<R>;
	/** Subscribes to a topic: each message once and in order, over any number of connections, until it is closed. */
	subscribe<T = unknown>(topic: string, options?: SubscribeOptions<T>): Subscription<T>;
}

/** A client of one app. It holds nothing open: there is nothing to close but its subscriptions. */
export function createClient<R extends Routes<R> = {}>(options: ClientOptions = {}): Client<R> {
	const { token, headers, credentials, fetch = (...given) => globalThis.fetch(...given), clock = REAL } = options;
	const to = base(options.baseUrl);
	const answer = (path: string, asked: CallOptions = {}) => tries({ to, token, headers, credentials, fetch, clock }, path, asked);
	const client: Client = {
		call: async <Req, Res>(path: string, asked?: CallOptions<Req>) => (await answer(path, asked)).data as Res,
		answer: async <Req, Res>(path: string, asked?: CallOptions<Req>) => (await answer(path, asked)) as Answer<Res>,
		subscribe: (topic, asked = {}) => new Subscription(to, topic, { ...asked, credentials, fetch, clock })
	};
	return client as Client<R>;
}

interface Of extends Pick<ClientOptions, 'token' | 'headers' | 'credentials'> {
	to: string;
	fetch: typeof globalThis.fetch;
	clock: Clock;
}

/** One request that is ready to be sent, any number of times. */
interface Ready {
	url: string;
	method: string;
	headers: Headers;
	body: SentBody | null;
}

async function tries(of: Of, path: string, asked: CallOptions): Promise<Answer<unknown>> {
	const ready = prepared(of, path, asked);
	const timeoutMs = bounded('timeoutMs', asked.timeoutMs ?? limits.TIMEOUT_MS_DEFAULT, 1, limits.TIMEOUT_MS_MAX);
	const retries = bounded('retries', asked.retries ?? limits.RETRIES_DEFAULT, 0, limits.RETRIES_MAX);
	const isSafe = /^(GET|HEAD)$/.test(ready.method) || ready.headers.has('idempotency-key');
	const { clock } = of;
	const ended = new AbortController();
	const end = (): void => ended.abort(asked.signal?.reason);
	if (asked.signal?.aborted === true) end();
	asked.signal?.addEventListener('abort', end);
	const timeout = new PiCloudError(0, 'timeout', `There was no whole answer within ${timeoutMs} ms.`);
	const cancel = clock.after(timeoutMs, () => ended.abort(timeout));
	const until = clock.now() + timeoutMs;
	try {
		for (let failed = 1; ; failed += 1) {
			try {
				return await once(of, ready, ended.signal);
			} catch (thrown) {
				const wait = isSafe && failed <= retries ? waitMs(thrown, failed, clock.random()) : null;
				// Rather the refusal at once than a timeout later.
				if (wait === null || clock.now() + wait >= until) throw thrown;
				await pause(clock, wait, ended.signal);
			}
		}
	} finally {
		cancel();
		asked.signal?.removeEventListener('abort', end);
	}
}

function prepared({ to, headers: always }: Of, route: string, asked: CallOptions): Ready {
	const [, named, path = route] = /^([A-Z]+) (\/.*)$/.exec(route) ?? [];
	const { body, type } = encode(asked.body);
	const method = named ?? asked.method ?? (body === null ? 'GET' : 'POST');
	if (body !== null && /^(GET|HEAD)$/.test(method)) throw new TypeError(`${method} takes no body`);
	const headers = new Headers(always);
	new Headers(asked.headers).forEach((value, name) => headers.set(name, value));
	if (type !== null && !headers.has('content-type')) headers.set('content-type', type);
	if (asked.idempotencyKey !== undefined) headers.set('idempotency-key', asked.idempotencyKey);
	return { url: address(to, path, asked.params, asked.query), method, headers, body };
}

async function once(of: Of, { url, method, headers, body }: Ready, signal: AbortSignal): Promise<Answer<unknown>> {
	signal.throwIfAborted();
	if (of.token !== undefined && !headers.has('authorization')) {
		const token = typeof of.token === 'string' ? of.token : await unless(signal, Promise.resolve(of.token()));
		headers = new Headers(headers);
		headers.set('authorization', `Bearer ${token}`);
	}
	const credentials = of.credentials === undefined ? {} : { credentials: of.credentials };
	try {
		const response = await of.fetch(url, { method, headers, body, signal, ...credentials });
		// 304 is what somebody asked for who sent `If-None-Match`.
		if (!response.ok && response.status !== 304) throw await refusal(response, of.clock.now());
		const data = await decode(response);
		return { data, status: response.status, headers: response.headers, ...ids(response.headers) } as Answer<unknown>;
	} catch (thrown) {
		if (signal.aborted) throw signal.reason;
		throw thrown instanceof PiCloudError ? thrown : unreachable(thrown);
	}
}

/** How long to wait before a call is tried again; null: it is not. */
function waitMs(thrown: unknown, failed: number, random: number): number | null {
	if (!(thrown instanceof PiCloudError) || (thrown.status !== 429 && thrown.status !== 503)) return null;
	const asked = thrown.retryAfterMs;
	if (asked === undefined) return backoffMs(failed, limits.RETRY_MS_MIN, limits.RETRY_MS_MAX, random);
	return asked > limits.RETRY_AFTER_MS_MAX ? null : spread(asked, random);
}

function bounded(name: string, given: number, min: number, max: number): number {
	if (Number.isInteger(given) && given >= min && given <= max) return given;
	throw new RangeError(`${name} is ${given}; ${min} to ${max} are allowed`);
}
