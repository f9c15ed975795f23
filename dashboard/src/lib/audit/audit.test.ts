import { describe, expect, it } from 'vitest';
import type { AuditEntry } from '$lib/api';
import { changed, choices, fits, noun, stateText, toneOf, verb, who } from './audit';

const entry = (more: Partial<AuditEntry>): AuditEntry => ({
	seq: 1,
	at: '2026-01-02T03:04:05Z',
	user_id: 'u',
	username: 'ada',
	credential: 'session',
	credential_id: null,
	address: '192.0.2.7',
	request_id: null,
	app_id: null,
	action: 'app.update',
	target: 'shop',
	before: { slug: 'shop' },
	after: { slug: 'store' },
	hash: '00',
	...more
});

describe('an entry', () => {
	it('is told by noun, verb and person', () => {
		expect([noun(entry({})), verb(entry({}))]).toEqual(['app', 'update']);
		expect(who(entry({}))).toBe('ada');
		expect(who(entry({ username: null, credential: 'operator' }))).toBe('operator');
		expect(toneOf(entry({ action: 'script.create' }))).toBe('good');
		expect(toneOf(entry({ action: 'member.delete' }))).toBe('bad');
		expect(toneOf(entry({}))).toBe('info');
	});

	it('is found by what is in it', () => {
		const filter = { noun: '', who: '', text: '' };
		expect(fits(entry({}), filter)).toBe(true);
		expect(fits(entry({}), { ...filter, noun: 'script' })).toBe(false);
		expect(fits(entry({}), { ...filter, who: 'bob' })).toBe(false);
		expect(fits(entry({}), { ...filter, text: 'STORE' })).toBe(true);
		expect(fits(entry({}), { ...filter, text: 'elsewhere' })).toBe(false);
	});

	it('says which fields changed, whatever their order', () => {
		expect(changed({ before: { a: 1, b: { x: 1, y: 2 } }, after: { b: { y: 2, x: 1 }, a: 2, c: 3 } })).toEqual(['a', 'c']);
		expect(changed({ before: null, after: { a: 1 } })).toEqual([]);
		expect(stateText({ b: 1, a: [{ d: 1, c: 2 }] })).toBe(JSON.stringify({ a: [{ c: 2, d: 1 }], b: 1 }, null, 2));
		expect(stateText(null)).toBe('');
	});
});

it('lists what occurs', () => {
	expect(choices([entry({ action: 'b.x' }), entry({ action: 'a.x' }), entry({ action: 'b.y' })], noun)).toEqual(['a', 'b']);
});
