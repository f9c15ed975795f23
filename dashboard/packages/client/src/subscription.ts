import { segment } from './address.js';
import { backoffMs, pause, unless, type Clock } from './clock.js';
import { PiCloudError, ids, refusal, spread, unreachable } from './error.js';
import { Handoff } from './handoff.js';
import * as limits from './limits.js';
import { EventParser, TooLong, type ServerEvent } from './sse.js';
import type { Credentials, Token } from './types.js';

/** A message that was published to the topic. */
export interface Message<T = unknown> {
	topic: string;
	/** Its number in the topic: 1 more than the one before it. */
	seq: number;
	message: T;
	/** RFC 3339. */
	publishedAt: string;
}

/** Messages of these numbers, the first and the last, were not received and are not kept any more. */
export interface Gap {
	from: number;
	to: number;
}

/** `connecting`; `live`: messages come as they are published; `waiting` before the next connection; `ended` for good. */
export type SubscriptionState = 'connecting' | 'live' | 'waiting' | 'ended';

export interface StateDetail {
	/** Why it is `waiting` or `ended`; null where it was closed, or where the stream came to its end. */
	failure: Error | null;
	/** How long it is `waiting`, else 0. */
	waitMs: number;
}

/** What is thrown in a handler, or what its promise fails with, ends the subscription. */
export interface SubscribeOptions<T> {
	/** Called for one message at a time: while it returns a promise, the next one waits. Left out: iterate over the subscription. */
	onMessage?: ((message: Message<T>) => unknown) | undefined;
	onGap?: ((gap: Gap) => unknown) | undefined;
	/** The topic never had the number that was asked for (it is another one of that name, or from a backup): it goes on after `seq`. */
	onReset?: ((reset: { seq: number }) => unknown) | undefined;
	onState?: ((state: SubscriptionState, detail: StateDetail) => void) | undefined;
	/** The last message that one has: those after it come first, as far as they are kept. Left out: what is published from now on. */
	lastEventId?: number | string | undefined;
	/** Closes the subscription. */
	signal?: AbortSignal | undefined;
	/** A subscriber's token. A function is asked for the first connection, and once more when its token is refused. */
	token?: Token | undefined;
}

interface Of {
	credentials?: Credentials | undefined;
	fetch: typeof globalThis.fetch;
	clock: Clock;
}

/** What a handler threw, apart from what went wrong with the stream. */
class Thrown {
	constructor(readonly cause: unknown) {}
}

export class Subscription<T = unknown> implements AsyncIterable<Message<T>> {
	/**
	 * With null once it was closed and the last handler has returned (so not to be waited for in one), with the failure once it
	 * ended by one. It never fails itself.
	 */
	readonly ended: Promise<Error | null>;
	readonly #url: string;
	readonly #options: SubscribeOptions<T> & Of;
	readonly #closed = new AbortController();
	readonly #handoff: Handoff<Message<T>> | null;
	#state: SubscriptionState = 'connecting';
	#last: number | null;
	/** What a function gave, while it is taken. */
	#token: string | null = null;
	#mayRenew = true;
	/** Tries one after the other of which nothing came. */
	#failed = 0;
	#waitMsMin = limits.BACKOFF_MS_MIN;
	#isIterated = false;

	constructor(to: string, topic: string, options: SubscribeOptions<T> & Of) {
		this.#url = `${to}/realtime/topics/${segment(topic)}`;
		this.#options = options;
		this.#last = options.lastEventId === undefined ? null : sequence(options.lastEventId);
		if (options.lastEventId !== undefined && this.#last === null) {
			throw new TypeError(`lastEventId is no number of a message: ${options.lastEventId}`);
		}
		this.#handoff = options.onMessage === undefined ? new Handoff(() => this.close()) : null;
		this.ended = this.#run();
	}

	get state(): SubscriptionState {
		return this.#state;
	}

	/** The number of the last message that was dealt with, to go on after it another time; null before there is one. */
	get lastEventId(): number | null {
		return this.#last;
	}

	/** Ends it; no handler is called from here on but `onState`. */
	close(): void {
		this.#closed.abort();
		this.#handoff?.end(null);
	}

	/** The messages, for one who iterates. Leaving the loop closes the subscription; a final failure is thrown. */
	[Symbol.asyncIterator](): AsyncIterator<Message<T>, undefined> {
		if (this.#handoff === null) throw new TypeError('messages go to onMessage: leave it out to iterate');
		if (this.#isIterated) throw new TypeError('a subscription is iterated over once');
		this.#isIterated = true;
		return this.#handoff;
	}

	async #run(): Promise<Error | null> {
		const { signal } = this.#options;
		const close = (): void => this.close();
		if (signal?.aborted === true) close();
		signal?.addEventListener('abort', close);
		let failure: Error | null = null;
		try {
			// Whoever made it has it before anything is called.
			await Promise.resolve();
			while (!this.#isClosed()) await this.#again();
		} catch (thrown) {
			const cause = thrown instanceof Thrown ? thrown.cause : thrown;
			if (!this.#isClosed()) failure = cause instanceof Error ? cause : new Error(String(cause));
		}
		signal?.removeEventListener('abort', close);
		this.#closed.abort();
		this.#handoff?.end(failure);
		this.#end(failure);
		return failure;
	}

	/** One connection, and the wait after it. Throws what is final. */
	async #again(): Promise<void> {
		const failure = await this.#connection().then(
			() => null,
			(thrown: unknown) => {
				if (thrown instanceof PiCloudError) return thrown;
				throw thrown;
			}
		);
		if (this.#isClosed()) return;
		if (failure?.status === 401 && typeof this.#options.token === 'function' && this.#mayRenew) {
			this.#mayRenew = false;
			this.#token = null;
			return;
		}
		if (failure !== null && isFinal(failure)) throw failure;
		this.#failed += 1;
		await this.#wait(failure);
	}

	async #wait(failure: PiCloudError | null): Promise<void> {
		const { clock } = this.#options;
		// A stream comes to its end when it was long enough, or when its node stops: then the next one is asked for at once,
		// but not over and over if nothing comes of it.
		const failed = failure === null ? this.#failed - 1 : this.#failed;
		if (failed === 0) return;
		const backoff = backoffMs(failed, this.#waitMsMin, limits.BACKOFF_MS_MAX, clock.random());
		const asked = spread(Math.min(failure?.retryAfterMs ?? 0, limits.RETRY_AFTER_MS_MAX), clock.random());
		const waitMs = Math.max(backoff, asked);
		this.#tell('waiting', failure, waitMs);
		await pause(clock, waitMs, this.#closed.signal);
	}

	/** Until the stream ends. Whatever else ends it is thrown. */
	async #connection(): Promise<void> {
		const { clock } = this.#options;
		const stop = new AbortController();
		const close = (): void => stop.abort(this.#closed.signal.reason);
		this.#closed.signal.addEventListener('abort', close);
		const stalled = new PiCloudError(0, 'stalled', `Nothing was heard for ${limits.QUIET_MS} ms.`);
		let cancel = (): void => undefined;
		const watch = (): void => {
			cancel();
			cancel = clock.after(limits.QUIET_MS, () => stop.abort(stalled));
		};
		let liveAt: number | null = null;
		try {
			this.#tell('connecting');
			watch();
			const reader = await this.#opened(stop.signal);
			liveAt = clock.now();
			this.#mayRenew = true;
			this.#tell('live');
			const parser = new EventParser();
			for (;;) {
				watch();
				const { value, done } = await reader.read();
				// A handler takes the time that it needs: what is not read meanwhile is no silence.
				cancel();
				if (done) return;
				await this.#heard(parser, parser.push(value));
				if (this.#isClosed()) return;
			}
		} catch (thrown) {
			if (thrown instanceof Thrown) throw thrown;
			if (stop.signal.aborted) throw stop.signal.reason;
			if (thrown instanceof TooLong) throw new PiCloudError(200, 'invalid_answer', `The stream cannot be read: ${thrown.message}.`);
			throw thrown instanceof PiCloudError ? thrown : unreachable(thrown);
		} finally {
			cancel();
			stop.abort();
			this.#closed.signal.removeEventListener('abort', close);
			if (liveAt !== null && clock.now() - liveAt >= limits.STEADY_MS) this.#failed = 0;
		}
	}

	async #opened(signal: AbortSignal): Promise<ReadableStreamDefaultReader<Uint8Array>> {
		const { clock, fetch, credentials } = this.#options;
		const headers = new Headers({ accept: 'text/event-stream' });
		const token = await unless(signal, this.#bearer());
		if (token !== '') headers.set('authorization', `Bearer ${token}`);
		if (this.#last !== null) headers.set('last-event-id', String(this.#last));
		const response = await fetch(this.#url, { headers, cache: 'no-store', signal, ...(credentials && { credentials }) });
		if (!response.ok) throw await refusal(response, clock.now());
		const type = response.headers.get('content-type') ?? '';
		if (response.body === null || !/^text\/event-stream\s*(;|$)/i.test(type)) {
			throw new PiCloudError(response.status, 'invalid_answer', 'The answer is no stream of events.', ids(response.headers));
		}
		return response.body.getReader();
	}

	async #bearer(): Promise<string> {
		const { token = '' } = this.#options;
		if (typeof token === 'string') return token;
		try {
			return (this.#token ??= await token());
		} catch (cause) {
			throw cause instanceof PiCloudError ? cause : new PiCloudError(0, 'no_token', 'There was no token to be had.', { cause });
		}
	}

	async #heard(parser: EventParser, events: ServerEvent[]): Promise<void> {
		this.#waitMsMin = Math.max(limits.BACKOFF_MS_MIN, parser.retryMs ?? 0);
		for (const event of events) {
			await this.#event(event);
			if (this.#isClosed()) return;
		}
		// A stream begins with the number that it goes on after: what is published before the first message comes is not lost.
		this.#last ??= sequence(parser.id);
	}

	async #event({ event, data }: ServerEvent): Promise<void> {
		if (event === 'message') await this.#message(fields(event, data));
		else if (event === 'gap') {
			const { from, to } = fields(event, data);
			await this.#gap(number(event, from), number(event, to));
		} else if (event === 'reset') {
			const seq = number(event, fields(event, data).seq);
			await this.#call(() => this.#options.onReset?.({ seq }));
			this.#last = seq;
			this.#failed = 0;
		}
	}

	async #message(data: Record<string, unknown>): Promise<void> {
		const seq = number('message', data.seq);
		if (this.#last !== null && seq <= this.#last) return;
		// Numbers have no holes: one that nobody spoke of is one all the same.
		if (this.#last !== null && seq > this.#last + 1) await this.#gap(this.#last + 1, seq - 1);
		if (this.#isClosed()) return;
		const message = { topic: String(data.topic), seq, message: data.message as T, publishedAt: String(data.published_at) };
		this.#failed = 0;
		const { onMessage } = this.#options;
		if (onMessage !== undefined) {
			await this.#call(() => onMessage(message));
			this.#last = seq;
			return;
		}
		const dealt = new Promise<void>((done) =>
			this.#handoff?.give(message, () => {
				this.#last = seq;
				done();
			})
		);
		await unless(this.#closed.signal, dealt);
	}

	async #gap(from: number, to: number): Promise<void> {
		const first = this.#last === null ? from : Math.max(from, this.#last + 1);
		if (first > to) return;
		await this.#call(() => this.#options.onGap?.({ from: first, to }));
		this.#last = to;
		this.#failed = 0;
	}

	async #call(handler: () => unknown): Promise<void> {
		try {
			await handler();
		} catch (cause) {
			throw new Thrown(cause);
		}
	}

	#tell(state: SubscriptionState, failure: Error | null = null, waitMs = 0): void {
		if (this.#isClosed()) return;
		this.#state = state;
		try {
			this.#options.onState?.(state, { failure, waitMs });
		} catch (cause) {
			throw new Thrown(cause);
		}
	}

	#end(failure: Error | null): void {
		this.#state = 'ended';
		try {
			this.#options.onState?.('ended', { failure, waitMs: 0 });
		} catch (cause) {
			// There is nothing left to end: it is told as what is thrown in a listener.
			queueMicrotask(() => {
				throw cause;
			});
		}
	}

	/** Asked anew each time: it changes while one waits. */
	#isClosed(): boolean {
		return this.#closed.signal.aborted;
	}
}

/** Asking again would be answered the same. */
function isFinal({ status, code }: PiCloudError): boolean {
	if (code === 'invalid_answer') return true;
	return status >= 400 && status < 500 && status !== 408 && status !== 425 && status !== 429;
}

/** A number of a message; null for anything else. */
function sequence(id: number | string): number | null {
	const seq = /^\d{1,16}$/.test(String(id)) ? Number(id) : NaN;
	return Number.isSafeInteger(seq) ? seq : null;
}

function number(event: string, value: unknown): number {
	const seq = typeof value === 'number' ? sequence(value) : null;
	if (seq === null) throw unreadable(event);
	return seq;
}

function fields(event: string, data: string): Record<string, unknown> {
	try {
		const value = JSON.parse(data) as unknown;
		if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
	} catch {
		// As anything else that is no object.
	}
	throw unreadable(event);
}

function unreadable(event: string): PiCloudError {
	return new PiCloudError(200, 'invalid_answer', `The stream cannot be read: a ${event} is not as it should be.`);
}
