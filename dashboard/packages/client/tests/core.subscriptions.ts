/** Subscriptions over streams that break in every way: in Node and in a browser. */
import { createClient, limits, type Message, type SubscribeOptions, type Subscription } from '../src/index.js';
import { equal, fast, holds, sleep, thrown, until, type Rules } from './support/check.js';
import { Place, event, message, refused, stream, type Planned } from './support/plan.js';

interface Followed {
	place: Place;
	subscription: Subscription;
	/** What the handlers were told, in its order. */
	told: unknown[];
	states: string[];
	waits: number[];
}

interface Pace {
	/** How much faster waits are over. */
	times?: number;
	/** Silence is over faster, too, and the clock goes faster. */
	hasAll?: boolean;
	topic?: string;
}

/** Follows a topic whose connections go as planned. */
async function followed(base: string, planned: Planned[], options: SubscribeOptions<unknown> = {}, { times = 200, hasAll = false, topic = 'news' }: Pace = {}): Promise<Followed> {
	const place = await Place.at(base, `/realtime/topics/${encodeURIComponent(topic)}`, planned);
	const clock = hasAll ? fast(times, { patience: [], now: () => Date.now() * times }) : fast(times);
	const told: unknown[] = [];
	const states: string[] = [];
	const waits: number[] = [];
	const subscription = createClient({ baseUrl: place.base, clock }).subscribe(topic, {
		onMessage: ({ seq }) => told.push(seq),
		onGap: ({ from, to }) => told.push(`${from}-${to}`),
		onReset: ({ seq }) => told.push(`reset ${seq}`),
		onState: (state, { failure, waitMs }) => {
			if (state === 'waiting') waits.push(Math.round(waitMs));
			states.push(failure === null ? state : `${state} ${(failure as { code?: string }).code ?? failure.message}`);
		},
		...options
	});
	return { place, subscription, told, states, waits };
}

/** Until it was told so many things, and a moment longer: more would be wrong. */
async function told({ subscription, told: all }: Followed, count: number): Promise<unknown[]> {
	await until(() => all.length >= count || subscription.state === 'ended', `${count} things are told, not ${JSON.stringify(all)}`);
	await sleep(30);
	subscription.close();
	equal(await subscription.ended, null);
	return all;
}

const lastIds = async ({ place }: Followed) => (await place.asked()).map(({ headers }) => headers['last-event-id'] ?? null);
const STALL = { stall: true } as const;
const DROP = { drop: true } as const;

export const subscriptions: Rules = {
	'messages come as they are, with all that is known of them': async (base) => {
		const all: Message[] = [];
		const follow = await followed(base, [stream('retry: 1000\nid: 4\n\n', ': a heartbeat\n\n', message(5, { ü: [1] }), 'event: later\ndata: x\n\n', message(6, null), STALL)], { onMessage: (one) => all.push(one) });
		await until(() => all.length === 2, 'two messages');
		const publishedAt = '2026-01-02T03:04:05.678Z';
		equal(all, [{ topic: 'news', seq: 5, message: { ü: [1] }, publishedAt }, { topic: 'news', seq: 6, message: null, publishedAt }]);
		equal([follow.subscription.state, follow.subscription.lastEventId, follow.states], ['live', 6, ['connecting', 'live']]);
		follow.subscription.close();
		equal(await follow.subscription.ended, null);
		equal(follow.states, ['connecting', 'live', 'ended']);
		await until(async () => (await follow.place.asked())[0]?.left === true, 'the connection is closed');
		const [first] = await follow.place.asked();
		equal([first?.method, first?.headers.accept, first?.headers['last-event-id'], first?.headers.authorization], ['GET', 'text/event-stream', undefined, undefined]);
	},

	'a topic of any name is one part of the path': async (base) => {
		const topic = 'orders/ü ?#.*';
		const follow = await followed(base, [stream(message(1, 1, topic), STALL)], {}, { topic });
		equal(await told(follow, 1), [1]);
		const client = createClient({ baseUrl: base });
		for (const bad of ['', '.', '..']) equal((await thrown(() => client.subscribe(bad))).name, 'TypeError');
	},

	'a connection that breaks is made again after the last message, and each comes once': async (base) => {
		const follow = await followed(base, [
			stream(message(1, 1), message(2, 2), { send: message(3, 3).slice(0, 30) }, DROP),
			// What was had already comes again.
			stream(message(1, 1), message(2, 2), message(3, 3), DROP),
			stream(message(3, 3), message(4, 4), message(4, 4), message(2, 2), message(5, 5), STALL)
		]);
		equal(await told(follow, 5), [1, 2, 3, 4, 5]);
		equal(await lastIds(follow), [null, '2', '3']);
		equal(follow.states, ['connecting', 'live', 'waiting unreachable', 'connecting', 'live', 'waiting unreachable', 'connecting', 'live', 'ended']);
	},

	'a number that comes before the first message is gone on after': async (base) => {
		const follow = await followed(base, [stream('id: 41\n\n', DROP), stream(message(42, 1), STALL)]);
		equal(await told(follow, 1), [42]);
		equal(await lastIds(follow), [null, '41']);
	},

	'a stream that comes to its end is asked for again at once': async (base) => {
		const follow = await followed(base, [stream(message(1, 1)), stream(message(2, 2)), stream(message(3, 3), STALL)]);
		equal(await told(follow, 3), [1, 2, 3]);
		equal([follow.waits, await lastIds(follow)], [[], [null, '1', '2']]);
	},

	'one that ends over and over with nothing is waited for longer and longer': async (base) => {
		const follow = await followed(base, [stream(': hello\n\n'), stream(), stream(': hello\n\n'), stream(), stream(message(1, 1)), stream(message(2, 2), STALL)]);
		equal(await told(follow, 2), [1, 2]);
		equal(follow.waits, [1000, 2000, 4000]);
	},

	'one that stalls is left after 45 s, and heartbeats keep it': async (base) => {
		const beats = Array.from({ length: 8 }, () => [{ wait_ms: 150 }, { send: ':\n\n' }]).flat();
		const follow = await followed(base, [stream(message(1, 1), ...beats, STALL), stream(message(2, 2), STALL)], {}, { times: 50, hasAll: true });
		const began = Date.now();
		await until(() => follow.told.length === 2, 'the second stream', 10_000);
		// 45 s are 0.9 s here: beats for 1.2 s, and then silence.
		holds(Date.now() - began >= 2000, 'it is kept as long as it beats');
		equal(follow.states, ['connecting', 'live', 'waiting stalled', 'connecting', 'live']);
		equal(await told(follow, 2), [1, 2]);
		equal((await follow.place.asked())[0]?.left, true);
	},

	'an answer that never begins is left as well': async (base) => {
		const token = () => new Promise<string>(() => undefined);
		const { subscription, states } = await followed(base, [], { token }, { hasAll: true });
		await until(() => states.includes('waiting stalled'), 'no token comes');
		subscription.close();
		equal(await subscription.ended, null);
	},

	'however the bytes are cut, the messages are the same': async (base) => {
		const text = `\ufeff${message(1, 'äöü €𝄞')}${message(2, '\u2028').replaceAll('\n', '\r\n')}${message(3, 'x').replaceAll('\n', '\r')}`;
		const all: unknown[] = [];
		const follow = await followed(base, [stream({ bytes: text }, STALL)], { onMessage: (one) => all.push(one.message) }, { times: 1 });
		await until(() => all.length === 3, `three messages: ${JSON.stringify(all)}`);
		equal(all, ['äöü €𝄞', '\u2028', 'x']);
		follow.subscription.close();
	},

	'data in more than one line is one': async (base) => {
		const follow = await followed(base, [stream('data: {"topic":"news","seq":1,\ndata:"message":\ndata: 1,"published_at":""}\n\n', STALL)]);
		equal(await told(follow, 1), [1]);
	},

	'what is not kept any more is told, once, before what is': async (base) => {
		const follow = await followed(base, [stream(event('gap', { from: 4, to: 6 }, 6), message(7, 7), DROP), stream(event('gap', { from: 4, to: 6 }, 6), event('gap', { from: 6, to: 8 }, 8), DROP), stream(message(9, 9), STALL)], { lastEventId: 3 });
		equal(await told(follow, 4), ['4-6', 7, '8-8', 9]);
		equal(await lastIds(follow), ['3', '7', '8']);
	},

	'a hole that nobody spoke of is told all the same': async (base) => {
		const follow = await followed(base, [stream(message(1, 1), message(2, 2), message(5, 5), STALL)]);
		equal(await told(follow, 4), [1, 2, '3-4', 5]);
	},

	'a topic that never had that number is gone on with where it is': async (base) => {
		const follow = await followed(base, [stream('id: 900\n\n', event('reset', { seq: 2 }, 2), message(3, 3), DROP), stream(message(3, 3), message(4, 4), STALL)], { lastEventId: '900' });
		equal(await told(follow, 3), ['reset 2', 3, 4]);
		equal(await lastIds(follow), ['900', '3']);
	},

	'the last message that one has is a number': async (base) => {
		const client = createClient({ baseUrl: base });
		for (const lastEventId of ['', 'x', '-1', '1.0', -1, 1.5, NaN, Number.MAX_SAFE_INTEGER + 1, '9'.repeat(17)]) {
			equal((await thrown(() => client.subscribe('news', { lastEventId }))).name, 'TypeError', String(lastEventId));
		}
		for (const lastEventId of [0, '0', Number.MAX_SAFE_INTEGER]) client.subscribe('news', { lastEventId }).close();
	},

	'what is refused for good is not asked for again': async (base) => {
		for (const [status, code] of [[400, 'malformed_request'], [401, 'unauthenticated'], [403, 'forbidden'], [404, 'not_found'], [405, 'method_not_allowed']] as const) {
			const follow = await followed(base, [refused(status, code), stream(message(1, 1))], { token: 'fixed' });
			const failure = (await follow.subscription.ended) as unknown as Record<string, unknown>;
			equal([failure.name, failure.status, failure.code, failure.requestId], ['PiCloudError', status, code, 'req-1']);
			await sleep(20);
			equal([(await follow.place.asked()).length, follow.states, follow.subscription.state], [1, ['connecting', `ended ${code}`], 'ended']);
			equal((await follow.place.asked())[0]?.headers.authorization, 'Bearer fixed');
		}
	},

	'what is refused for now is asked for again': async (base) => {
		// And 408, where a browser does not ask again by itself.
		for (const status of [425, 429, 500, 502, 503, 504]) {
			const follow = await followed(base, [refused(status, 'later'), stream(message(1, 1), STALL)]);
			equal(await told(follow, 1), [1]);
			equal(follow.waits, [1000]);
		}
	},

	'waits double from 1 s to 30 s, and a message sets them back': async (base) => {
		const no = refused(503, 'overloaded');
		const follow = await followed(base, [no, no, no, no, no, no, no, stream(message(1, 1), DROP), no, stream(message(2, 2), STALL)], {}, { times: 1000 });
		equal(await told(follow, 2), [1, 2]);
		equal(follow.waits, [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 1000, 2000]);
	},

	'a stream that lasted sets them back too': async (base) => {
		const no = refused(503, 'overloaded');
		// At 100 times, 400 ms are 40 s, and what is broken at once lasts 6.
		const lasted = stream({ wait_ms: 200 }, ': x\n\n', { wait_ms: 200 }, DROP);
		const short = stream(DROP);
		const follow = await followed(base, [no, no, lasted, no, no, short, no, stream(message(1, 1), STALL)], {}, { times: 100, hasAll: true });
		equal(await told(follow, 1), [1]);
		equal(follow.waits, [1000, 2000, 1000, 2000, 4000, 8000, 16_000]);
	},

	'the server\'s wait is kept to, up to the bound': async (base) => {
		const after = (seconds: number) => refused(503, 'overloaded', { 'retry-after': String(seconds) });
		const max = limits.RETRY_AFTER_MS_MAX / 1000;
		const follow = await followed(base, [after(8), after(max), after(max + 1), after(0), stream(message(1, 1), STALL)], {}, { times: 10_000 });
		equal(await told(follow, 1), [1]);
		equal(follow.waits, [10_000, max * 1250, max * 1250, 8000]);
	},

	'the server\'s hint is the least of the waits, within bounds': async (base) => {
		const hinted = (ms: number) => stream(`retry: ${ms}\n\n`, DROP);
		const follow = await followed(base, [hinted(3000), hinted(0), hinted(100_000), stream(message(1, 1), STALL)], {}, { times: 1000 });
		equal(await told(follow, 1), [1]);
		equal(follow.waits, [3000, 2000, 30_000]);
	},

	'a token that is refused is asked for anew, once': async (base) => {
		let given = 0;
		const token = () => `t${(given += 1)}`;
		const no = refused(401, 'unauthenticated');
		const follow = await followed(base, [no, stream(message(1, 1), DROP), stream(message(2, 2)), no, stream(message(3, 3)), no, no, stream(message(4, 4))], { token });
		equal(((await follow.subscription.ended) as unknown as { status: number }).status, 401);
		equal(follow.told, [1, 2, 3]);
		equal((await follow.place.asked()).map(({ headers }) => headers.authorization?.slice(7)), ['t1', 't2', 't2', 't2', 't3', 't3', 't4']);
	},

	'a token that is not to be had is waited for': async (base) => {
		let asked = 0;
		const token = () => {
			asked += 1;
			return asked === 1 ? Promise.reject(new Error('no network')) : Promise.resolve('t');
		};
		const follow = await followed(base, [stream(message(1, 1), STALL)], { token });
		equal(await told(follow, 1), [1]);
		equal(follow.states[1], 'waiting no_token');
	},

	'what is no stream, or cannot be read, is final': async (base) => {
		const html = { headers: { 'content-type': 'text/html' }, steps: [{ send: '<p>' }] };
		const bad = ['data: {\n\n', 'data: 1\n\n', 'data: null\n\n', 'data: {"seq":"1"}\n\n', 'data: {"seq":-1}\n\n', 'data: {"seq":1.5}\n\n', 'event: gap\ndata: {"from":1}\n\n', 'event: reset\ndata: {}\n\n'];
		for (const planned of [html, { steps: [] }, ...bad.map((text) => stream(text, STALL))]) {
			const follow = await followed(base, [planned, stream(message(1, 1))]);
			equal(((await follow.subscription.ended) as unknown as { code: string }).code, 'invalid_answer');
			equal([follow.told, (await follow.place.asked()).length], [[], 1]);
		}
	},

	'a line and an event have a bound': async (base) => {
		const [line, all] = [limits.LINE_CHARS_MAX, limits.EVENT_CHARS_MAX];
		const read = async (...steps: Parameters<typeof stream>) => {
			const follow = await followed(base, [stream(...steps, message(1, 1), STALL)], {}, { times: 1 });
			const failed = follow.subscription.ended.then((failure) => (failure as unknown as { code: string } | null)?.code ?? 'closed');
			const outcome = await Promise.race([failed, until(() => follow.told.length > 0 || follow.subscription.state === 'ended', 'an outcome').then(() => follow.told[0] ?? failed)]);
			follow.subscription.close();
			return outcome;
		};
		equal(await read({ fill: line }, '\n\n'), 1, 'a line of all');
		equal(await read({ fill: line + 1 }, '\n\n'), 'invalid_answer', 'a line too long');
		equal(await read({ fill: line + 1 }), 'invalid_answer', 'and without an end');
		const half = all / 2;
		// "data:" and two halves with a line end between them: an event that is not of ours, and ignored.
		equal(await read('event: x\ndata:', { fill: half }, '\ndata:', { fill: half - 1 }, '\n\n'), 1, 'an event of all');
		equal(await read('event: x\ndata:', { fill: half }, '\ndata:', { fill: half }, '\n\n'), 'invalid_answer', 'an event too long');
	},

	'one message is dealt with at a time, however long it takes, and that is no silence': async (base) => {
		const order: string[] = [];
		const onMessage = async ({ seq }: Message): Promise<void> => {
			order.push(`+${seq}`);
			// At 100 times, 45 s are 450 ms.
			await sleep(seq === 1 ? 700 : 1);
			order.push(`-${seq}`);
		};
		const follow = await followed(base, [stream(message(1, 1), message(2, 2), STALL)], { onMessage }, { times: 100, hasAll: true });
		await until(() => order.length === 4, 'both');
		equal([order, follow.states], [['+1', '-1', '+2', '-2'], ['connecting', 'live']]);
		follow.subscription.close();
	},

	'what a handler throws ends it': async (base) => {
		const fails = (when: number) => (one: { seq?: number; to?: number }) => {
			if ((one.seq ?? one.to) === when) throw new Error('mine');
		};
		const later = async (one: { seq: number }) => Promise.resolve(one).then(fails(2));
		const streams = () => [stream(message(1, 1), event('gap', { from: 2, to: 2 }), event('reset', { seq: 2 }), message(3, 3), STALL)];
		for (const options of [{ onMessage: fails(1) }, { onGap: fails(2) }, { onReset: later }, { onState: (state: string) => fails(1)({ seq: state === 'live' ? 1 : 0 }) }]) {
			const follow = await followed(base, streams(), options);
			equal((await follow.subscription.ended)?.message, 'mine');
			await until(async () => (await follow.place.asked())[0]?.left === true, 'the connection is closed');
			holds(!follow.told.includes(3), 'nothing more is told');
		}
	},

	'a handler may close it': async (base) => {
		const all: number[] = [];
		const follow: Followed = await followed(base, [stream(message(1, 1) + message(2, 2) + event('gap', { from: 3, to: 4 }) + message(5, 5), STALL)], {
			onMessage: ({ seq }) => {
				all.push(seq);
				if (seq === 2) follow.subscription.close();
			}
		});
		equal(await follow.subscription.ended, null);
		equal([all, follow.told, follow.subscription.lastEventId], [[1, 2], [], 2]);
	},

	'a handler of a gap may close it before the message after it': async (base) => {
		const all: unknown[] = [];
		const follow: Followed = await followed(base, [stream(message(5, 5), STALL)], {
			lastEventId: 1,
			onMessage: ({ seq }) => all.push(seq),
			onGap: (gap) => {
				all.push(gap);
				follow.subscription.close();
			}
		});
		equal([await follow.subscription.ended, all, follow.subscription.lastEventId], [null, [{ from: 2, to: 4 }], 4]);
	},

	'a signal closes it, wherever it is': async (base) => {
		const early = await followed(base, [], { signal: AbortSignal.abort() });
		equal([await early.subscription.ended, early.states, (await early.place.asked()).length], [null, ['ended'], 0]);
		for (const [planned, state] of [[[stream(STALL)], 'live'], [[refused(503, 'overloaded', { 'retry-after': '60' })], 'waiting'], [[{ steps: [STALL], headers: { 'content-type': 'text/event-stream' } }], 'live']] as [Planned[], string][]) {
			const giving = new AbortController();
			const follow = await followed(base, planned, { signal: giving.signal }, { times: 1 });
			await until(() => follow.subscription.state === state, state);
			giving.abort();
			equal(await follow.subscription.ended, null);
			follow.subscription.close();
		}
	},

	'messages can be iterated over; leaving the loop closes': async (base) => {
		const place = await Place.at(base, '/realtime/topics/news', [stream(message(1, 'a'), message(2, 'b'), DROP), stream(message(3, 'c'), message(4, 'd'), STALL)]);
		const subscription = createClient({ baseUrl: place.base, clock: fast(200) }).subscribe<string>('news');
		const all: string[] = [];
		for await (const { seq, message: text } of subscription) {
			all.push(text);
			equal(subscription.lastEventId, seq === 1 ? null : seq - 1, 'dealt with when the next is asked for');
			await sleep(5);
			if (seq === 3) break;
		}
		equal([all, await subscription.ended, subscription.lastEventId], [['a', 'b', 'c'], null, 3]);
		await until(async () => (await place.asked())[1]?.left === true, 'the connection is closed');
		equal((await thrown(() => subscription[Symbol.asyncIterator]())).message, 'a subscription is iterated over once');
		const other = createClient({ baseUrl: place.base }).subscribe('news', { onMessage: () => undefined });
		equal((await thrown(() => other[Symbol.asyncIterator]())).message, 'messages go to onMessage: leave it out to iterate');
		other.close();
	},

	'closing ends a loop that waits, and a final refusal is thrown in it': async (base) => {
		const place = await Place.at(base, '/realtime/topics/news', [stream(message(1, 1), STALL), stream(message(1, 1)), refused(404, 'not_found')]);
		const client = createClient({ baseUrl: place.base, clock: fast(200) });
		const closed = client.subscribe('news');
		const seen: number[] = [];
		for await (const { seq } of closed) {
			seen.push(seq);
			setTimeout(() => closed.close(), 10);
		}
		equal(seen, [1]);
		const refusedOne = client.subscribe('news');
		const error = await thrown(async () => {
			for await (const { seq } of refusedOne) seen.push(seq);
		});
		equal([seen, error.code, (await refusedOne.ended) === error], [[1, 1], 'not_found', true]);
	},

	'who asks for more than one at a time gets them in order': async (base) => {
		const place = await Place.at(base, '/realtime/topics/news', [stream(message(1, 1), message(2, 2), message(3, 3), STALL)]);
		const subscription = createClient({ baseUrl: place.base, clock: fast(200) }).subscribe('news');
		const messages = subscription[Symbol.asyncIterator]();
		const three = await Promise.all([messages.next(), messages.next(), messages.next()]);
		equal(three.map(({ value }) => (value as Message | undefined)?.seq), [1, 2, 3]);
		const waiting = messages.next();
		subscription.close();
		equal([(await waiting).done, (await messages.next()).done], [true, true]);
	}
};
