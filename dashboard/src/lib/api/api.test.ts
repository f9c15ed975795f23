import { expect, test, vi } from 'vitest';
import { client, type Fetch } from './client';
import { ApiError, asFailure, refusal } from './error';
import { address, search, segment } from './path';

/** A server that gives one answer, and what it was asked. */
function server(status: number, body: string, headers: Record<string, string> = {}) {
	const asked: { path: string; init: RequestInit }[] = [];
	const fetch: Fetch = async (path, init = {}) => {
		asked.push({ path: String(path), init });
		return new Response(status === 204 ? null : body, { status, headers });
	};
	const ended = vi.fn();
	return { api: client(fetch, ended), asked, ended };
}

test('a list asks with what is there of its parameters', async () => {
	const { api, asked } = server(200, '{"items":[],"cursor":null}');
	const query = { app: '0198', cursor: 'a/b=', limit: undefined };
	expect(await api.get('/api/v1/admin/scripts', { query })).toEqual({ items: [], cursor: null });
	expect(asked[0]?.path).toBe('/api/v1/admin/scripts?app=0198&cursor=a%2Fb%3D');
	expect(asked[0]?.init).toMatchObject({ method: 'GET', credentials: 'same-origin', redirect: 'error' });
});

test('a write sends JSON, its guard and its key, and an empty answer is fine', async () => {
	const { api, asked } = server(204, '');
	expect(await api.post('/api/v1/admin/auth/logout')).toBeUndefined();
	expect(asked[0]?.init.body).toBeUndefined();
	await api.patch('/api/v1/admin/apps/{app}', { path: { app: 'shop' }, body: { name: 'Shop' }, ifMatch: '"1"' });
	expect(asked[1]).toMatchObject({ path: '/api/v1/admin/apps/shop', init: { method: 'PATCH', body: '{"name":"Shop"}' } });
	expect(asked[1]?.init.headers).toMatchObject({ 'if-match': '"1"', 'content-type': 'application/json' });
	await api.post('/api/v1/admin/apps', { body: { slug: 'a', name: 'A' }, once: 'k1' });
	expect(asked[2]?.init.headers).toMatchObject({ 'idempotency-key': 'k1' });
});

test('bytes go out as they are, by their type', async () => {
	const { api, asked } = server(201, '{}');
	const path = { app: 'shop', collection: 'a/b' };
	const bytes = new Blob(['x'], { type: 'text/plain' });
	await api.untyped('post', '/api/v1/admin/apps/{app}/files/{collection}', { path, query: { name: 'n' }, bytes });
	expect(asked[0]?.path).toBe('/api/v1/admin/apps/shop/files/a%2Fb?name=n');
	expect(asked[0]?.init.body).toBe(bytes);
	expect(asked[0]?.init.headers).toMatchObject({ 'content-type': 'text/plain' });
});

test('an answer has its state', async () => {
	const { api } = server(200, '{"slug":"shop"}', { etag: '"7"' });
	const answer = await api.answer('get', '/api/v1/admin/apps/{app}', { path: { app: 'shop' } });
	expect(answer).toMatchObject({ status: 200, etag: '"7"', data: { slug: 'shop' } });
});

test('a refusal carries the envelope as it came', async () => {
	const details = { field: 'slug', asked: 'hello' };
	const body = { error: { code: 'conflict', message: 'taken', request_id: 'r1', details } };
	const { api } = server(409, JSON.stringify(body), { 'retry-after': '7' });
	const failure = await api.post('/api/v1/admin/apps', { body: { slug: 'a', name: 'A' } }).catch((error: unknown) => error);
	expect(failure).toBeInstanceOf(ApiError);
	expect(failure).toMatchObject({ status: 409, ...body.error, field: 'slug', retry_after_s: 7 });
});

test('an answer without an envelope keeps its status and request id', () => {
	const headers = new Headers({ 'x-request-id': 'r2', 'retry-after': 'Wed, 21 Oct 2026 07:28:00 GMT' });
	for (const text of ['<html>Bad gateway</html>', '', 'null', '{"error":"x"}', '{"error":{"code":1}}']) {
		const failure = refusal(502, text, headers);
		expect(failure).toMatchObject({ status: 502, code: 'http_502', request_id: 'r2' });
		expect([failure.retry_after_s, failure.field, failure.detail('x')]).toEqual([undefined, undefined, undefined]);
	}
});

test('no answer and no JSON are failures of the same kind; what was given up is none', async () => {
	const dead = client(() => Promise.reject(new TypeError('refused')));
	await expect(dead.get('/api/v1/admin/auth/me')).rejects.toMatchObject({ status: 0, code: 'unreachable' });
	const { api } = server(200, '<html>');
	await expect(api.get('/api/v1/admin/auth/me')).rejects.toMatchObject({ status: 200, code: 'unreadable' });
	const gone = client(() => Promise.reject(new DOMException('given up', 'AbortError')));
	await expect(gone.get('/api/v1/admin/auth/me')).rejects.toMatchObject({ name: 'AbortError' });
	expect(asFailure('odd')).toMatchObject({ code: 'dashboard_fault', message: 'odd' });
});

test('a read without a session tells the shell; a write does not', async () => {
	const { api, ended } = server(401, '');
	await expect(api.post('/api/v1/admin/auth/logout')).rejects.toMatchObject({ status: 401 });
	expect(ended).not.toHaveBeenCalled();
	await expect(api.get('/api/v1/admin/auth/me')).rejects.toMatchObject({ status: 401 });
	expect(ended).toHaveBeenCalledOnce();
});

test('an id from the address bar stays one segment', () => {
	expect(segment('a/../b?c#d')).toBe('a%2F..%2Fb%3Fc%23d');
	for (const nothing of ['..', '.', '']) expect(() => segment(nothing)).toThrow(ApiError);
	expect(search({ a: undefined, b: null })).toBe('');
	expect(address('/x/{a}/{b}', { a: 'ü', b: 1 }, { c: false, d: 0 })).toBe('/x/%C3%BC/1?c=false&d=0');
	expect(() => address('/x/{a}')).toThrow(ApiError);
});
