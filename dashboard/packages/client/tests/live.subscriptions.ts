/** Subscriptions on a node: in Node and in a browser. `subscriptions.spec.ts` has the app. */
import type { Client, Gap, Message } from '../src/index.js';
import type { LiveRules } from './live.calls.js';
import { equal, thrown, until } from './support/check.js';

const publish = (client: Client, topic: string, message: unknown): Promise<unknown> => client.call('POST /publish/:topic', { params: { topic }, body: { message } });

/** A token for topics, made by a script of the app. */
const tokenFor = async (client: Client, topics: string[]): Promise<string> => (await client.call<object, { token: string }>('/token', { body: { topics } })).token;

/** Reads until it has so many, and closes. */
async function read<T>(client: Client, topic: string, count: number, options: { lastEventId?: number; token?: string | (() => Promise<string>) }, live: () => Promise<void> = async () => undefined): Promise<Message<T>[]> {
	const all: Message<T>[] = [];
	let done = live;
	const subscription = client.subscribe<T>(topic, {
		...options,
		onMessage: (one) => all.push(one),
		onState: (state) => {
			if (state !== 'live') return;
			const once = done;
			done = async () => undefined;
			void once();
		}
	});
	await until(() => all.length >= count || subscription.state === 'ended', `${count} messages of ${topic}`, 20_000);
	subscription.close();
	equal(await subscription.ended, null);
	return all;
}

export const subscriptions: LiveRules = {
	'who subscribes has what is published from then on, in order': async (make) => {
		const client = make();
		const all = await read<{ n: number }>(client, 'open', 20, {}, async () => {
			for (let n = 0; n < 20; n += 1) await publish(client, 'open', { n });
		});
		equal(all.map(({ message }) => message.n), Array.from({ length: 20 }, (_, n) => n));
		const [first] = all;
		equal(all.map(({ seq }) => seq), all.map((_, at) => (first?.seq ?? 0) + at));
		equal([first?.topic, Number.isNaN(Date.parse(first?.publishedAt ?? ''))], ['open', false]);
	},

	'who comes back has what was published meanwhile': async (make) => {
		const client = make();
		const [first] = await read(client, 'open', 1, {}, async () => void (await publish(client, 'open', 'one')));
		for (const text of ['two', 'three']) await publish(client, 'open', text);
		const rest = await read(client, 'open', 2, { lastEventId: first?.seq ?? -1 });
		equal(rest.map(({ seq, message }) => [seq, message]), [[(first?.seq ?? 0) + 1, 'two'], [(first?.seq ?? 0) + 2, 'three']]);
	},

	'a topic with tokens is for those who have one for it': async (make) => {
		const client = make();
		const refused = async (topic: string, token?: string) => {
			const failure = (await client.subscribe(topic, { onMessage: () => undefined, token }).ended) as unknown as { status: number; code: string };
			return failure.status;
		};
		equal(await refused('closed'), 401);
		equal(await refused('closed', `picr_${'0'.repeat(64)}`), 401);
		equal(await refused('closed', await tokenFor(client, ['open'])), 403);
		equal(await refused('internal', await tokenFor(client, ['internal'])), 404);
		let asked = 0;
		// The first one is not good any more: another is asked for.
		const token = async () => ((asked += 1) === 1 ? `picr_${'0'.repeat(64)}` : tokenFor(client, ['closed']));
		const all = await read(client, 'closed', 1, { token }, async () => void (await publish(client, 'closed', 'secret')));
		equal([all.map(({ message }) => message), asked], [['secret'], 2]);
	},

	'what the topic never had is told, and gone on from': async (make) => {
		const client = make();
		const resets: number[] = [];
		const gaps: Gap[] = [];
		const subscription = client.subscribe('open', { onMessage: () => undefined, onGap: (gap) => gaps.push(gap), onReset: ({ seq }) => resets.push(seq), lastEventId: 1_000_000 });
		await until(() => resets.length > 0, 'a reset', 20_000);
		equal([resets.length, gaps, subscription.lastEventId], [1, [], resets[0]]);
		subscription.close();
	},

	'messages can be iterated over': async (make) => {
		const client = make();
		const seen: unknown[] = [];
		const subscription = client.subscribe('open', { onState: (state) => state === 'live' && void publish(client, 'open', 'now').then(() => publish(client, 'open', 'then')) });
		for await (const { message } of subscription) if (seen.push(message) === 2) break;
		equal([seen, await subscription.ended], [['now', 'then'], null]);
		equal((await thrown(() => client.call('/realtime/topics/internal'))).status, 404);
	}
};
