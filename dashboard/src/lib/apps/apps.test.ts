import { describe, expect, it } from 'vitest';
import { letters, windowFrom } from './health';
import { slugFault } from './slug';

describe('slugFault', () => {
	it('takes one DNS label', () => {
		for (const slug of ['a', 'shop', 'my-shop-2', '7', '']) expect(slugFault(slug)).toBeUndefined();
	});

	it('says what is wrong', () => {
		expect(slugFault('Shop')).toContain('Lower-case');
		expect(slugFault('my shop')).toContain('a–z');
		expect(slugFault('-shop')).toContain('either end');
		expect(slugFault('a'.repeat(64))).toContain('64');
		expect(slugFault('api')).toContain('reserved');
		expect(slugFault('v7--shop')).toContain('preview');
	});
});

describe('health in words', () => {
	it('says where counting ended', () => {
		expect(letters(1)).toBe('1 dead letter');
		expect(letters(12)).toBe('12 dead letters');
		expect(letters(10_000)).toBe('10\u202f000 dead letters or more');
	});

	it('reads an hour unless a day is asked for', () => {
		expect(windowFrom(null)).toBe('hour');
		expect(windowFrom('day')).toBe('day');
		expect(windowFrom('week')).toBe('hour');
	});
});
