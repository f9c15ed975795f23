/** As much of a test runner as runs in a page too. */
import { REAL, type Clock } from '../../src/clock.js';
import * as limits from '../../src/limits.js';

/** One rule, by its name; it fails by throwing. */
export type Rules = Record<string, (base: string) => Promise<void>>;

export function equal(found: unknown, wanted: unknown, about = ''): void {
	const [one, other] = [found, wanted].map((value) => JSON.stringify(value, sorted));
	if (one !== other) throw new Error(`${about === '' ? '' : `${about}: `}found ${one}, wanted ${other}`);
}

function sorted(_: string, value: unknown): unknown {
	if (value === undefined) return '(undefined)';
	if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
	return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

export function holds(condition: boolean, about: string): void {
	if (!condition) throw new Error(about);
}

/** What it throws. */
export async function thrown(action: () => unknown): Promise<Record<string, unknown> & Error> {
	try {
		await action();
	} catch (cause) {
		return cause as Record<string, unknown> & Error;
	}
	throw new Error('nothing was thrown');
}

export async function until(done: () => boolean | Promise<boolean>, about: string, within_ms = 5000): Promise<void> {
	const since = Date.now();
	while (!(await done())) {
		if (Date.now() - since > within_ms) throw new Error(`not within ${within_ms} ms: ${about}`);
		await new Promise((wake) => setTimeout(wake, 5));
	}
}

export const sleep = (ms: number): Promise<void> => new Promise((wake) => setTimeout(wake, ms));

/** How long one is patient: where nothing is to be tried about it, in real time, so that a busy machine is no failure. */
const PATIENCE_MS = [limits.QUIET_MS, limits.TIMEOUT_MS_DEFAULT, limits.TIMEOUT_MS_MAX];

/** Waits that are over so many times faster, and what they were asked to be. Chance always says the most. */
export function fast(times: number, { patience = PATIENCE_MS, now = () => Date.now() } = {}): Clock & { waits: number[] } {
	const waits: number[] = [];
	return {
		waits,
		now,
		random: () => 0.999_999,
		after: (ms, then) => {
			waits.push(ms);
			return REAL.after(patience.includes(ms) ? ms : ms / times, then);
		}
	};
}
