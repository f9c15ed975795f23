import { afterEach, expect, test, vi } from 'vitest';
import { address, base, segment } from './address.js';

afterEach(() => vi.unstubAllGlobals());

test('a base is an address of the web, without a slash at its end', () => {
	expect(base('http://shop.localhost:8080')).toBe('http://shop.localhost:8080');
	expect(base('https://example.com/shop//?a#b')).toBe('https://example.com/shop');
	expect(base(new URL('https://user:pass@example.com/'))).toBe('https://example.com');
	for (const bad of ['ftp://example.com', 'javascript:1', '/shop', '']) expect(() => base(bad), bad).toThrow(TypeError);
	expect(() => base(undefined)).toThrow('baseUrl is needed');
});

test('in a page a base may be left out, or be a part of its origin', () => {
	vi.stubGlobal('location', new URL('https://shop.example.com/deep/page?x'));
	expect(base(undefined)).toBe('https://shop.example.com');
	expect(base('/api/')).toBe('https://shop.example.com/api');
});

test('a path cannot name another host', () => {
	for (const path of ['//evil.example', '/\\evil.example', '/@evil.example', '/..//evil.example']) {
		expect(new URL(address('https://shop.example.com', path)).host).toBe('shop.example.com');
	}
	for (const path of ['', 'https://evil.example', '.evil.example', '@evil.example', ':80@evil.example']) {
		expect(() => address('https://shop.example.com', path), path).toThrow(TypeError);
	}
});

test('a query is put behind one that is there', () => {
	expect(address('http://a', '/b?c=1', undefined, { d: '2', e: [], f: [undefined, true] })).toBe('http://a/b?c=1&d=2&f=true');
	expect(address('http://a', '/b', undefined, {})).toBe('http://a/b');
});

test('parameters are whole segments; without any, a path is as it is written', () => {
	expect(address('http://a', '/:b/x:c/:d', { b: 'ü', d: 0 })).toBe('http://a/%C3%BC/x:c/0');
	expect(address('http://a', '/:b/*')).toBe('http://a/:b/*');
	expect(() => address('http://a', '/:b', {})).toThrow('needs the parameter b');
});

test('a segment stays one', () => {
	expect(segment('a/b?c#d%2F')).toBe('a%2Fb%3Fc%23d%252F');
	expect(segment('...')).toBe('...');
	for (const bad of ['', '.', '..']) expect(() => segment(bad)).toThrow(TypeError);
});
