import { expect, test } from 'vitest';
import { afterLogin, loginPath, openable, slugFrom, urlFor } from './path';

test('login comes back to where it was asked for', () => {
	const path = loginPath(new URL('http://localhost:8081/scripts/1?execution=2#L3'));
	expect(path).toBe('/login?next=%2Fscripts%2F1%3Fexecution%3D2%23L3');
	expect(afterLogin(new URL(path, 'http://localhost').searchParams.get('next'))).toBe('/scripts/1?execution=2#L3');
	expect(loginPath(new URL('http://localhost:8081/'))).toBe('/login');
});

test.each([
	null, '', 'apps/x', '//evil.example', '/\\evil.example', '/\t/evil.example', '\\/evil.example',
	'https://evil.example/', 'javascript:alert(1)', '/login', '/login?next=/login', '//'
])('login never leads to %j', (next) => expect(afterLogin(next)).toBe('/'));

test('a slug follows a name', () => {
	expect(slugFrom('Hello, World!')).toBe('hello-world');
	expect(slugFrom('  Größe & Café  ')).toBe('gro-e-cafe');
	expect(slugFrom('日本')).toBe('');
	expect(slugFrom(`${'a'.repeat(62)} b`)).toBe('a'.repeat(62));
});

test('a new app gets the domain of the others', () => {
	const hello = { slug: 'hello', host: 'hello.pi.example', url: 'https://hello.pi.example:8443' };
	expect(urlFor('new', hello)).toBe('https://new.pi.example:8443');
	expect(urlFor('new', { ...hello, host: 'other.example' })).toBeNull();
	expect(urlFor('new', undefined)).toBeNull();
});

test('only what a browser can follow is a link', () => {
	const base = 'http://hello.localhost:8080/';
	expect(openable({ path: '/a/b', method: 'GET', host: null }, base)).toBe('http://hello.localhost:8080/a/b');
	expect(openable({ path: '/', method: null, host: null }, base)).toBe('http://hello.localhost:8080/');
	expect(openable({ path: '/', method: 'POST', host: null }, base)).toBeNull();
	expect(openable({ path: '/users/:id', method: null, host: null }, base)).toBeNull();
	expect(openable({ path: '/files/*', method: null, host: null }, base)).toBeNull();
	expect(openable({ path: '/', method: null, host: 'other.example' }, base)).toBeNull();
});
