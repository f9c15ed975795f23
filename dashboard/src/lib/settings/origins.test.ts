import { expect, it } from 'vitest';
import { originOf, renamed, wrong } from './origins';

it('takes origins as browsers send them', () => {
	for (const good of ['*', 'https://example.org', 'http://localhost:8080', 'http://192.168.1.2', 'http://[::1]:3000']) {
		expect([good, wrong(good, [])]).toEqual([good, null]);
	}
	for (const bad of ['', 'null', 'example.org', 'https://', 'https://Example.org', 'https://a/', 'https://a/b', 'https://a:x', 'https://a:70000', 'ftp://a', 'https://u@a', 'https://a:443']) {
		expect([bad, wrong(bad, []) !== null]).toEqual([bad, true]);
	}
	expect(wrong('*', ['*'])).toContain('already');
});

it('makes an origin of a pasted address', () => {
	expect(originOf(' https://Example.org/a?b ')).toBe('https://example.org');
	expect(originOf('example.org')).toBe('example.org');
});

it('knows the address of another slug', () => {
	expect(renamed('https://shop.apps.example.com', 'shop', 'store')).toBe('https://store.apps.example.com');
	expect(renamed('https://shop.apps.example.com', 'shop', '')).toBe('https://shop.apps.example.com');
});
