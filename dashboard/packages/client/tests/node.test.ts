/** The rules of `core.*` in Node. In a browser: `browser.spec.ts`. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createClient } from '../src/index.js';
import { calls } from './core.calls.js';
import { subscriptions } from './core.subscriptions.js';
import { fast } from './support/check.js';
import { Place, message, refused, stream } from './support/plan.js';
import { serve, type Served } from './support/server.js';

let server: Served;
beforeAll(async () => {
	server = await serve();
});
afterAll(() => server.stop());

for (const [name, rules] of Object.entries({ calls, subscriptions })) {
	describe(name, () => {
		for (const [rule, hold] of Object.entries(rules)) test(rule, () => hold(server.base), 15_000);
	});
}

/** A browser asks again by itself when it is answered 408: only here is seen what the client does. */
test('408 is no reason to call again, and one to subscribe again', async () => {
	const late = refused(408, 'request_timeout');
	const { base } = await Place.at(server.base, '/realtime/topics/news', [late, stream(message(1, 1))]);
	const client = createClient({ baseUrl: base, clock: fast(200) });
	for await (const { seq } of client.subscribe('news')) {
		expect(seq).toBe(1);
		break;
	}
	const calls = await Place.at(server.base, '/orders', [late, late]);
	await expect(createClient({ baseUrl: calls.base }).call('/orders')).rejects.toMatchObject({ status: 408 });
	expect(await calls.asked()).toHaveLength(1);
});
