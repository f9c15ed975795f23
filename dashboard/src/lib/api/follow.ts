/**
 * The log of an app as it is written. One connection, only while the page is visible; a lost one is made again and
 * goes on after the last event that was seen, so that nothing is missed or comes twice.
 */
import { ApiError, asFailure, refusal } from './error';
import { address, type Value } from './path';
import { EventParser, waitMs } from './sse';
import type { FollowEnd, FollowLine } from './schema';

export type Followed =
	| { event: 'line'; id: string; data: FollowLine }
	| { event: 'execution'; id: string; data: FollowEnd }
	| { event: 'dropped'; id: string; data: { records: number; lines: number } };

export type FollowState = 'connecting' | 'live' | 'waiting' | 'hidden' | 'ended';

export interface FollowOptions {
	app: string;
	/** Filters as the operation has them: `script`, `execution`, `level`, `outcome`, `text`, `since`, `tail`. */
	query?: Record<string, Value>;
	/** What came with one piece of the stream: more than one at a time when much is written. */
	events: (batch: Followed[]) => void;
	state?: (state: FollowState, failure: ApiError | null) => void;
	fetch?: typeof globalThis.fetch;
}

/** Follows until the function that it returns is called. */
export function follow(options: FollowOptions): () => void {
	const ended = new AbortController();
	void run(options, ended.signal);
	return () => ended.abort();
}

async function run(options: FollowOptions, ended: AbortSignal): Promise<void> {
	const tell = options.state ?? (() => undefined);
	let last = '';
	let failed = 0;
	while (!ended.aborted) {
		if (isHidden()) {
			tell('hidden', null);
			await visible(ended);
			continue;
		}
		tell('connecting', null);
		let failure: ApiError | null = null;
		try {
			await connection(options, last, ended, () => {
				failed = 0;
				tell('live', null);
			}, (id) => (last = id));
		} catch (thrown) {
			if (ended.aborted) return;
			failure = asFailure(thrown);
			if (isFinal(failure)) {
				tell('ended', failure);
				return;
			}
		}
		if (ended.aborted || isHidden()) continue;
		failed += 1;
		tell('waiting', failure);
		await pause(failure?.retry_after_s ? failure.retry_after_s * 1000 : waitMs(failed), ended);
	}
}

/** Asked anew each time: it changes while one waits. */
function isHidden(): boolean {
	return document.visibilityState === 'hidden';
}

/** Asking again would be answered the same. */
function isFinal({ status }: ApiError): boolean {
	return status >= 400 && status < 500 && status !== 408 && status !== 429;
}

async function connection(
	{ app, query, events, fetch = globalThis.fetch }: FollowOptions,
	last: string,
	ended: AbortSignal,
	opened: () => void,
	seen: (id: string) => void
): Promise<void> {
	const closed = new AbortController();
	const close = () => closed.abort();
	const hide = () => isHidden() && close();
	ended.addEventListener('abort', close);
	document.addEventListener('visibilitychange', hide);
	try {
		const headers: Record<string, string> = { accept: 'text/event-stream' };
		if (last !== '') headers['last-event-id'] = last;
		const init: RequestInit = { headers, credentials: 'same-origin', cache: 'no-store', signal: closed.signal };
		const response = await fetch(address('/api/v1/admin/apps/{app}/logs', { app }, query), init);
		if (!response.ok || response.body === null) {
			throw refusal(response.status, await response.text(), response.headers);
		}
		opened();
		const parser = new EventParser();
		const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
		for (;;) {
			const { value, done } = await reader.read();
			if (done) return;
			const batch = parser.push(value).map(({ id, event, data }) => ({ id, event, data: JSON.parse(data) }) as Followed);
			if (parser.id !== '') seen(parser.id);
			if (batch.length > 0) events(batch);
		}
	} catch (thrown) {
		if (closed.signal.aborted) return;
		if (thrown instanceof ApiError) throw thrown;
		throw new ApiError(0, 'unreachable', 'The connection was lost.');
	} finally {
		close();
		ended.removeEventListener('abort', close);
		document.removeEventListener('visibilitychange', hide);
	}
}

function visible(ended: AbortSignal): Promise<void> {
	return new Promise((resolve) => {
		const look = () => {
			if (isHidden() && !ended.aborted) return;
			document.removeEventListener('visibilitychange', look);
			ended.removeEventListener('abort', look);
			resolve();
		};
		document.addEventListener('visibilitychange', look);
		ended.addEventListener('abort', look);
		look();
	});
}

function pause(ms: number, ended: AbortSignal): Promise<void> {
	return new Promise((resolve) => {
		const over = () => {
			clearTimeout(timer);
			ended.removeEventListener('abort', over);
			resolve();
		};
		const timer = setTimeout(over, ms);
		ended.addEventListener('abort', over);
	});
}
