import { expect, test, vi } from 'vitest';
import { REAL, backoffMs, pause, unless } from './clock.js';
import { retryAfterMs, spread } from './error.js';
import { BACKOFF_MS_MAX as MAX, BACKOFF_MS_MIN as MIN } from './limits.js';

test('a wait is anything from nothing to a second doubled with each failure, and to thirty at most', () => {
	const most = [1, 2, 3, 4, 5, 6, 7, 1000].map((failed) => backoffMs(failed, MIN, MAX, 1));
	expect(most).toEqual([1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
	expect(backoffMs(5, MIN, MAX, 0)).toBe(0);
	expect(backoffMs(5, MIN, MAX, 0.5)).toBe(8000);
	expect(backoffMs(0, MIN, MAX, 1)).toBe(MIN);
});

test('a server asks to wait by seconds or until a date', () => {
	const now = Date.parse('2026-01-02T03:04:05Z');
	for (const [text, wait] of [[null, undefined], ['0', 0], ['12', 12_000], ['9'.repeat(9), 999_999_999_000]] as const) {
		expect(retryAfterMs(text, now), String(text)).toBe(wait);
	}
	expect(retryAfterMs('Fri, 02 Jan 2026 03:04:15 GMT', now)).toBe(10_000);
	expect(retryAfterMs('Fri, 02 Jan 2026 03:04:00 GMT', now)).toBe(0);
	for (const text of ['', 'soon', '1 s']) expect(retryAfterMs(text, now), text).toBe(undefined);
});

test('what a server asked for is never made shorter, and longer by a quarter at most', () => {
	expect([spread(8000, 0), spread(8000, 0.999_999)].map(Math.round)).toEqual([8000, 10_000]);
});

test('a pause ends in time, or with its signal, and leaves no timer', async () => {
	vi.useFakeTimers();
	try {
		const ended = new AbortController();
		const over = vi.fn();
		const first = pause(REAL, 1000, ended.signal).then(over);
		await vi.advanceTimersByTimeAsync(999);
		expect(over).not.toHaveBeenCalled();
		await vi.advanceTimersByTimeAsync(1);
		await first;
		expect(over).toHaveBeenCalledOnce();
		const second = pause(REAL, 1000, ended.signal);
		ended.abort(new Error('left'));
		await expect(second).rejects.toThrow('left');
		await expect(pause(REAL, 1000, ended.signal)).rejects.toThrow('left');
		await vi.advanceTimersByTimeAsync(0);
		expect(vi.getTimerCount()).toBe(0);
	} finally {
		vi.useRealTimers();
	}
});

test('what a promise gives counts unless its signal was first', async () => {
	const { signal } = new AbortController();
	await expect(unless(signal, Promise.resolve(1))).resolves.toBe(1);
	await expect(unless(signal, Promise.reject(new Error('no')))).rejects.toThrow('no');
	await expect(unless(AbortSignal.abort(new Error('left')), Promise.resolve(1))).rejects.toThrow('left');
});
