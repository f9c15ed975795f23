/** Retry policies: the waits between attempts, as the server computes them, and in words. Pure. */
import { millis, plural } from '$lib/format';

export interface Retry {
	max_attempts: number;
	backoff: 'exponential' | 'linear' | 'constant';
	base_delay_ms: number;
	max_delay_ms: number;
	jitter: boolean;
}

export const ATTEMPTS_MAX = 100;
export const DELAY_MS_MAX = 86_400_000;

/** What a new trigger has where nothing is said; a node may have other defaults, which `/api/v1/limits` tells. */
export const RETRY_DEFAULT: Retry = {
	max_attempts: 3,
	backoff: 'exponential',
	base_delay_ms: 1000,
	max_delay_ms: 60_000,
	jitter: true
};

/** The longest wait after `failed` attempts; null after the last. Jitter draws it from its upper half. */
export function wait(retry: Retry, failed: number): number | null {
	if (failed >= retry.max_attempts) return null;
	const base = retry.base_delay_ms;
	const grown =
		retry.backoff === 'constant' ? base : retry.backoff === 'linear' ? base * failed : base * 2 ** Math.min(failed - 1, 63);
	return Math.min(grown, retry.max_delay_ms);
}

export interface Wait {
	/** The attempt that it leads to. */
	attempt: number;
	ms: number;
	/** From the first attempt's end, at the latest. */
	after_ms: number;
}

export function waits(retry: Retry): Wait[] {
	const all: Wait[] = [];
	let after_ms = 0;
	for (let failed = 1; failed < Math.min(retry.max_attempts, ATTEMPTS_MAX); failed += 1) {
		const ms = wait(retry, failed) ?? 0;
		after_ms += ms;
		all.push({ attempt: failed + 1, ms, after_ms });
	}
	return all;
}

/** "1 to 2 s" of a wait that is drawn, "2 s" of one that is not. */
export function waitWords(ms: number, jitter: boolean): string {
	if (ms === 0) return 'at once';
	return jitter ? `${millis(ms / 2)} to ${millis(ms)}` : millis(ms);
}

/** What happens when a script fails, in a sentence. */
export function retryWords(retry: Retry): string {
	if (retry.max_attempts <= 1) return 'One attempt. When it fails the event is a dead letter at once.';
	const last = waits(retry).at(-1);
	const span = last === undefined || last.after_ms === 0 ? 'at once' : `within ${millis(last.after_ms)}`;
	return `${plural(retry.max_attempts, 'attempt')}, the last one ${span} after the first. Then the event is a dead letter.`;
}

/** The same, as short as a cell of a table. */
export function retryBrief({ max_attempts, backoff, base_delay_ms }: Retry): string {
	return max_attempts <= 1 ? '1 attempt' : `${max_attempts} attempts, ${backoff} from ${millis(base_delay_ms)}`;
}
