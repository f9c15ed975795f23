import { describe, expect, it } from 'vitest';
import { bodyFault, emptyDraft, keepSaved, pathOf, pathsOf, placesOf, requestOf, savedOf, withSaved } from './request';

describe('a request', () => {
	it('leaves out what is empty', () => {
		expect(requestOf(emptyDraft(), null)).toEqual({ method: 'GET', path: '/' });
		expect(requestOf({ ...emptyDraft(), path: 'a', query: [{ name: '', value: 'x' }], headers: [{ name: '', value: 'y' }] }, 3)).toEqual({ method: 'GET', path: '/a', version: 3 });
	});

	it('fills the places of a route', () => {
		const draft = { ...emptyDraft(), route: '/users/:id/files/*', params: { id: 'a b', '*': 'x/y z' } };
		expect(placesOf(draft.route)).toEqual(['id', '*']);
		expect(pathOf(draft)).toBe('/users/a%20b/files/x/y%20z');
		expect(requestOf(draft, null)).toMatchObject({ params: { id: 'a b' }, rest: 'x/y z' });
	});

	it('says what the body is, unless the headers do', () => {
		const draft = { ...emptyDraft(), method: 'POST', type: 'application/json' as const, body: '{}', query: [{ name: 'q', value: 'a b' }] };
		expect(requestOf(draft, null)).toEqual({ method: 'POST', path: '/', query: 'q=a+b', headers: { 'content-type': 'application/json' }, body: '{}' });
		expect(requestOf({ ...draft, headers: [{ name: 'Content-Type', value: 'a/b' }] }, null).headers).toEqual({ 'content-type': 'a/b' });
		expect(requestOf({ ...draft, type: 'base64', body: 'aGk=\n' }, null)).toMatchObject({ body_base64: 'aGk=' });
	});

	it('sees bodies that are not what they say', () => {
		expect(bodyFault({ type: 'application/json', body: '{' })).toMatch(/^This is no JSON/);
		expect(bodyFault({ type: 'application/json', body: '' })).toBe(null);
		expect(bodyFault({ type: 'base64', body: 'a' })).toBe('This is no base64.');
		expect(bodyFault({ type: 'text/plain', body: '{' })).toBe(null);
	});
});

describe('saved requests', () => {
	it('are kept by script, newest first, and without credentials', () => {
		const kept = new Map<string, string>();
		const storage = { getItem: (key: string) => kept.get(key) ?? null, setItem: (key: string, value: string) => void kept.set(key, value) };
		const headers = [{ name: 'Authorization', value: 'Bearer x' }, { name: 'accept', value: 'a/b' }];
		keepSaved('s', withSaved([{ name: 'old', draft: emptyDraft() }, { name: 'one', draft: emptyDraft() }], 'one', { ...emptyDraft(), headers }), storage);
		expect(savedOf('s', storage).map(({ name }) => name)).toEqual(['one', 'old']);
		expect(savedOf('s', storage)[0]?.draft.headers).toEqual([{ name: 'Authorization', value: '' }, { name: 'accept', value: 'a/b' }]);
		expect(savedOf('other', storage)).toEqual([]);
	});
});

it('routes of one path are one choice, with all its methods', () => {
	const routes = [
		{ path: '/notes', method: 'GET' as const },
		{ path: '/notes', method: 'POST' as const },
		{ path: '/:id', method: 'GET' as const },
		{ path: '/:id', method: null },
		{ path: '/notes', method: 'GET' as const }
	];
	expect(pathsOf(routes)).toEqual([
		{ path: '/notes', methods: ['GET', 'POST'] },
		{ path: '/:id', methods: [] }
	]);
});
