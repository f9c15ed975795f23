import { expect, it } from 'vitest';
import { barOf, spanOf } from './waterfall';

it('places calls within the run', () => {
	const calls = [{ began_us: 100, took_us: 300 }, { began_us: 900, took_us: 0 }];
	const span = spanOf(calls, 1000);
	expect(span).toBe(1000);
	expect(calls.map((call) => barOf(call, span))).toEqual([{ x: 10, width: 30 }, { x: 90, width: 0.5 }]);
	expect(spanOf([{ began_us: 10, took_us: 5 }], 0)).toBe(15);
	expect(spanOf([], 0)).toBe(1);
	expect(barOf({ began_us: 1000, took_us: 0 }, 1000)).toEqual({ x: 99.5, width: 0.5 });
});
