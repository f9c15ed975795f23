import { describe, expect, it } from 'vitest';
import { byPath, curl, kindOf, pathFault, precedence, reason, routeName, sample, type Shape } from './pattern';

const route = (path: string, method: string | null = 'GET', host: string | null = null): Shape => ({ path, method, host });

describe('patterns', () => {
	it('are exact, with parameters, or a prefix', () => {
		expect(kindOf('/a')).toBe('exact');
		expect(kindOf('/users/:id')).toBe('param');
		expect(kindOf('/files/*')).toBe('prefix');
		expect(kindOf('/u/:id/*')).toBe('prefix');
	});

	it('have a request that matches them', () => {
		expect(sample('/')).toBe('/');
		expect(sample('/users/:id/posts/:slug')).toBe('/users/17/posts/slug');
		expect(sample('/files/*')).toBe('/files/a/b');
	});

	it('are told what is wrong', () => {
		for (const path of ['', '/', '/a/:b/*', '/a/']) expect(pathFault(path)).toBeUndefined();
		expect(pathFault('a')).toContain('begins with /');
		expect(pathFault('/a?b')).toContain('query');
		expect(pathFault('/a/*/b')).toContain('at the end');
		expect(pathFault('/a*')).toContain('alone');
		expect(pathFault('/:a/:a')).toContain('twice');
		expect(pathFault('/a/../b')).toContain('..');
	});
});

describe('the order', () => {
	const first = (one: Shape, other: Shape) => {
		expect(precedence(one, other)).toBeLessThan(0);
		expect(precedence(other, one)).toBeGreaterThan(0);
	};

	it('is exact, then parameters, then prefix', () => {
		first(route('/users/me'), route('/users/:id'));
		first(route('/users/:id'), route('/users/*'));
	});

	it('puts more literal beginnings, methods and hosts first', () => {
		first(route('/a/b/*'), route('/a/*'));
		first(route('/a', 'GET'), route('/a', null));
		first(route('/a', 'GET', 'x.example.com'), route('/a', 'GET', '*.example.com'));
		first(route('/a', 'GET', '*.example.com'), route('/a', 'GET'));
	});

	it('is no order between equals, which is a conflict', () => {
		expect(precedence(route('/users/:id'), route('/users/:name'))).toBe(0);
	});

	it('is told with its reason', () => {
		expect(reason(route('/users/me'), route('/users/:id'))).toBe('an exact path goes before a path with parameters');
		expect(reason(route('/a'), route('/a', null))).toBe('a named method goes before any method');
	});

	it('sorts lists by path', () => {
		const all = [route('/b'), route('/a', null), route('/a')];
		expect(all.sort(byPath).map(routeName)).toEqual(['GET /a', 'ANY /a', 'GET /b']);
	});
});

describe('curl', () => {
	it('calls what the route takes', () => {
		expect(curl(route('/users/:id'), 'http://shop.localhost:8080')).toBe("curl -i 'http://shop.localhost:8080/users/17'");
		expect(curl(route('/users', 'POST'), 'http://shop.localhost:8080')).toContain("-X POST 'http://shop.localhost:8080/users'");
		expect(curl(route('/a', null, 'api.example.com'), 'http://shop.localhost:8080')).toBe("curl -i 'http://api.example.com:8080/a'");
	});
});
