import { describe, expect, test } from 'vitest';
import { ago, bytes, count, exact, micros, millis, moment, offset, percent, plural, tone, until, words } from './format';

test('counts keep three digits and step by thousands', () => {
	expect([0, 7, 999, 1000, 1234, 12_345, 412_000, 999_499, 999_950, 500_000_000, 50e9].map(count)).toEqual([
		'0', '7', '999', '1 k', '1.23 k', '12.3 k', '412 k', '999 k', '1 M', '500 M', '50 G'
	]);
});

test('bytes step by 1024', () => {
	expect([0, 1, 1023, 1024, 1536, 2_621_440, 1024 ** 2 - 1, 5 * 1024 ** 5].map(bytes)).toEqual([
		'0 B', '1 B', '1023 B', '1 KiB', '1.5 KiB', '2.5 MiB', '1 MiB', '5120 TiB'
	]);
});

test('durations choose their unit', () => {
	expect([0, 38, 999, 1240, 999_999, 1_000_000, 3_540_000, 300_000_000].map(micros)).toEqual([
		'0 µs', '38 µs', '999 µs', '1.24 ms', '1 s', '1 s', '3.54 s', '300 s'
	]);
});

test('exact figures show every digit', () => {
	expect(exact(1_234_567)).toBe('1\u202f234\u202f567');
});

describe('ago', () => {
	const now = Date.parse('2026-03-01T12:00:00Z');
	test.each([
		['2026-03-01T12:00:07Z', 'just now'],
		['2026-03-01T11:59:56Z', 'just now'],
		['2026-03-01T11:59:30Z', '30 seconds ago'],
		['2026-03-01T11:59:00Z', '1 minute ago'],
		['2026-03-01T11:00:01Z', '59 minutes ago'],
		['2026-03-01T11:00:00Z', '1 hour ago'],
		['2026-02-28T12:00:00Z', '1 day ago'],
		['2026-01-30T12:00:01Z', '29 days ago'],
		['2026-01-30T12:00:00Z', '2026-01-30'],
		['not a time', 'not a time']
	])('%s is %s', (at, text) => expect(ago(at, now)).toBe(text));
});

test('offsets read microseconds past what Date keeps', () => {
	expect(offset('2026-03-01T12:00:00.001250Z', '2026-03-01T12:00:00.001038Z')).toBe('+212 µs');
	expect(offset('2026-03-01T12:00:00.500Z', '2026-03-01T12:00:00Z')).toBe('+500 ms');
	expect(offset('2026-03-01T12:00:01.000001Z', '2026-03-01T12:00:00.999999Z')).toBe('+2 µs');
	expect(offset('2026-03-01T11:59:59Z', '2026-03-01T12:00:00Z')).toBe('+0 µs');
	expect(offset('', '2026-03-01T12:00:00Z')).toBe('');
});

test('outcomes have a tone and words', () => {
	expect(tone('responded')).toBe('good');
	expect(tone('fuel_exhausted')).toBe('warn');
	expect(tone('host_fault')).toBe('bad');
	expect(words('deadline_exceeded')).toBe('deadline exceeded');
});

test('longer durations step up to days', () => {
	expect([0, 40, 999, 1000, 1500, 60_000, 90_000, 900_000, 3_600_000, 604_800_000].map(millis)).toEqual([
		'0 ms', '40 ms', '999 ms', '1 s', '1.5 s', '1 min', '90 s', '15 min', '1 h', '7 d'
	]);
});

test('parts of a whole, and counted nouns', () => {
	expect([percent(0, 0), percent(0, 9), percent(1, 3000), percent(1, 250), percent(1, 3), percent(3, 3)]).toEqual([
		'–', '0 %', '< 0.1 %', '0.4 %', '33 %', '100 %'
	]);
	expect([plural(1, 'call'), plural(1200, 'call'), plural(2, 'entry', 'entries')]).toEqual([
		'1 call', '1\u202f200 calls', '2 entries'
	]);
});

test('what is to come', () => {
	const now = Date.parse('2026-03-01T12:00:00Z');
	expect(until('2026-03-01T12:00:00Z', now)).toBe('now');
	expect(until('2026-03-01T12:00:01Z', now)).toBe('in 1 second');
	expect(until('2026-03-01T13:59:00Z', now)).toBe('in 1 hour');
	expect(until('2026-05-01T00:00:00Z', now)).toBe('2026-05-01');
	expect(moment('nonsense')).toBe('nonsense');
	expect(moment('2026-03-01T12:00:07.5Z')).toMatch(/^2026-0[23]-\d\d \d\d:\d\d:07$/);
});
