/** What the compiler must refuse is refused: an expectation that is met by nothing fails `npm run check`. */
import { expect, test } from 'vitest';
import { createClient } from '../src/index.js';

interface Order {
	id: number;
	total: number;
}

interface Shop {
	'POST /orders/:id': { request: { items: string[] }; response: Order };
	'GET /orders/:id': { response: Order };
	'GET /orders': { query: { page?: number }; response: Order[] };
	'GET /search': { query: { q: string }; response: string };
	'/files/*': { response: Blob };
	'GET /ping': { response: 'pong' };
}

test('routes of a map have its types', async () => {
	const sent: [string, RequestInit | undefined][] = [];
	const fetch = (url: unknown, init?: RequestInit) => {
		sent.push([String(url), init]);
		return Promise.resolve(Response.json({ id: 1, total: 2 }));
	};
	const client = createClient<Shop>({ baseUrl: 'http://a', fetch });
	const order: Order = await client.call('POST /orders/:id', { params: { id: 17 }, body: { items: ['tea'] } });
	expect(order.total).toBe(2);
	expect(sent.map(([url, init]) => [url, init?.method, init?.body])).toEqual([['http://a/orders/17', 'POST', '{"items":["tea"]}']]);
	const pong: 'pong' = await client.call('GET /ping');
	const list: Order[] = await client.call('GET /orders', { query: { page: 2 } });
	const { data, status }: { data: Order; status: number } = await client.answer('GET /orders/:id', { params: { id: 'x' } });
	const blob: Blob = await client.call('/files/*', { params: { '*': 'a/b' }, method: 'POST' });
	expect([pong, list, data, status, blob]).toHaveLength(5);

	const refused = [
		// @ts-expect-error no such route
		() => client.call('GET /nothing'),
		// @ts-expect-error the parameter is missing
		() => client.call('GET /orders/:id'),
		// @ts-expect-error another parameter
		() => client.call('GET /orders/:id', { params: { name: 1 } }),
		// @ts-expect-error the body is missing
		() => client.call('POST /orders/:id', { params: { id: 1 } }),
		// @ts-expect-error another body
		() => client.call('POST /orders/:id', { params: { id: 1 }, body: { items: [1] } }),
		// @ts-expect-error a route that takes no body
		() => client.call('GET /ping', { body: 1 }),
		// @ts-expect-error the query is missing
		() => client.call('GET /search'),
		// @ts-expect-error another query
		() => client.call('GET /orders', { query: { page: 'x' } }),
		// @ts-expect-error the key says the method
		() => client.call('GET /ping', { method: 'POST' }),
		// @ts-expect-error the answer is another one
		async (): Promise<number> => await client.call('GET /ping')
	];
	expect(refused).toHaveLength(10);
});

test('without a map, a call says its types', async () => {
	const client = createClient({ baseUrl: 'http://a', fetch: () => Promise.resolve(Response.json([1])) });
	const numbers = await client.call<{ a: number }, number[]>('/x', { method: 'PUT', body: { a: 1 } });
	expect(numbers.map((one) => one + 1)).toEqual([2]);
	// @ts-expect-error another body
	void (() => client.call<{ a: number }, number[]>('/x', { body: { a: 'x' } }));
	// @ts-expect-error another answer
	void (async (): Promise<number> => await client.call<unknown, string>('/x'));
});
