import { expect, test } from 'vitest';
import { ApiError, client, query, refusal, segment, type Fetch } from './api';

/** A server that gives one answer, and what it was asked. */
function server(status: number, body: string, headers: Record<string, string> = {}) {
	const asked: { path: string; init: RequestInit }[] = [];
	const fetch: Fetch = async (path, init = {}) => {
		asked.push({ path: String(path), init });
		return new Response(status === 204 ? null : body, { status, headers });
	};
	return { api: client(fetch), asked };
}

test('a list asks with its app and cursor', async () => {
	const { api, asked } = server(200, '{"items":[],"cursor":null}');
	expect(await api.scripts('0198', 'a/b=')).toEqual({ items: [], cursor: null });
	expect(asked[0]?.path).toBe('/api/v1/admin/scripts?app=0198&cursor=a%2Fb%3D');
	expect(asked[0]?.init).toMatchObject({ method: 'GET', credentials: 'same-origin', redirect: 'error' });
});

test('a write sends JSON, and an empty answer is fine', async () => {
	const { api, asked } = server(204, '');
	await api.logout();
	expect(asked[0]?.init.body).toBeUndefined();
	await api.createApp('hello', 'Hello');
	expect(asked[1]?.init).toMatchObject({ method: 'POST', body: '{"slug":"hello","name":"Hello"}' });
});

test('a refusal carries the envelope as it came', async () => {
	const body = { error: { code: 'conflict', message: 'taken', request_id: 'r1', details: { slug: 'hello' } } };
	const { api } = server(409, JSON.stringify(body));
	const failure = await api.createApp('hello', 'Hello').catch((error: unknown) => error);
	expect(failure).toBeInstanceOf(ApiError);
	expect(failure).toMatchObject({ status: 409, ...body.error });
});

test('an answer without an envelope keeps its status and request id', () => {
	for (const text of ['<html>Bad gateway</html>', '', 'null', '{"error":"x"}', '{"error":{"code":1}}']) {
		expect(refusal(502, text, 'r2')).toMatchObject({ status: 502, code: 'http_502', request_id: 'r2' });
	}
});

test('no answer and no JSON are failures of the same kind', async () => {
	const dead = client(() => Promise.reject(new TypeError('refused')));
	await expect(dead.me()).rejects.toMatchObject({ status: 0, code: 'unreachable' });
	await expect(server(200, '<html>').api.me()).rejects.toMatchObject({ status: 200, code: 'unreadable' });
});

test('an id from the address bar stays one segment', () => {
	expect(segment('a/../b?c#d')).toBe('a%2F..%2Fb%3Fc%23d');
	expect(() => segment('..')).toThrow(ApiError);
	expect(query({ a: undefined })).toBe('');
});
