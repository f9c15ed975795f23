import { expect, it } from 'vitest';
import { left, seconds } from './expiry';

it('says what is left in whole units', () => {
	const now = Date.parse('2026-01-02T03:00:00Z');
	expect(left('2026-01-02T03:01:30Z', now)).toEqual({ many: 90, unit: 's' });
	expect(left('2026-01-02T05:00:00Z', now)).toEqual({ many: 2, unit: 'h' });
	expect(left('2026-01-09T03:00:00Z', now)).toEqual({ many: 7, unit: 'd' });
	expect(left('2026-01-02T02:00:00Z', now)).toEqual({ many: 1, unit: 's' });
	expect(seconds({ many: 1.5, unit: 'h' })).toBe(5400);
});
