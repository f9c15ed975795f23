import { describe, expect, it } from 'vitest';
import { ApiError, type MatchedRequest } from '$lib/api';
import { consequence, inTheWay, isFound, pathOf, why } from './preview';

const found = (path: string, method: string | null = 'GET') =>
	({ matched: true, params: {}, rest: null, route: { id: 'r', path, method, host: null }, script: { id: 's', name: 'one', version: 1 } }) as unknown as MatchedRequest;
const none = { matched: false, reason: 'no_route', message: 'no route' } as MatchedRequest;

describe('the preview of a request', () => {
	it('matches the path alone', () => {
		expect(pathOf(' /users/17?full=1')).toBe('/users/17');
		expect(pathOf('users')).toBe('/users');
		expect(pathOf('')).toBe('/');
	});

	it('knows an answer from none', () => {
		expect(isFound(found('/a'))).toBe(true);
		expect(isFound(none)).toBe(false);
		expect(why({ reason: 'unknown_host', message: 'no app answers there' })).toBe('no app answers there.');
	});

	it('says what a new route would change', () => {
		const route = { path: '/users/me', method: 'GET', host: null };
		expect(consequence(route, none).tone).toBe('good');
		expect(consequence(route, found('/users/:id')).text).toContain('take it over: an exact path goes before a path with parameters');
		expect(consequence({ ...route, path: '/users/*' }, found('/users/:id')).text).toContain('go on answering');
		expect(consequence({ ...route, path: '/users/:name' }, found('/users/:id')).tone).toBe('bad');
	});
});

describe('the route in the way', () => {
	it('is read from a conflict and from nothing else', () => {
		const route = { id: 'r', script_id: 's', method: null, host: null, path: '/a' };
		expect(inTheWay(new ApiError(409, 'conflict', 'no', undefined, { route }))?.shape.path).toBe('/a');
		expect(inTheWay(new ApiError(409, 'conflict', 'no', undefined, {}))).toBeNull();
		expect(inTheWay(new ApiError(422, 'invalid', 'no', undefined, { route }))).toBeNull();
	});
});
