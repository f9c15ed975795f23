/** Time and chance, as arguments: what waits is tested without waiting. */
export interface Clock {
	/** Milliseconds since 1970. */
	now(): number;
	/** At least 0, less than 1. */
	random(): number;
	/** Calls `then` once after so many milliseconds, unless the function that it returns is called before. */
	after(ms: number, then: () => void): () => void;
}

export const REAL: Clock = {
	now: () => Date.now(),
	random: () => Math.random(),
	after: (ms, then) => {
		const timer = setTimeout(then, ms);
		return () => clearTimeout(timer);
	}
};

/** Waits, or fails with the signal's reason as soon as it is aborted. */
export function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
	let cancel = (): void => undefined;
	const over = new Promise<void>((done) => (cancel = clock.after(ms, done)));
	return unless(signal, over).finally(cancel);
}

/** What the promise gives, unless the signal is aborted before: then its reason is thrown. */
export function unless<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
	return new Promise<T>((done, failed) => {
		const aborted = (): void => failed(signal.reason);
		if (signal.aborted) aborted();
		signal.addEventListener('abort', aborted);
		promise.then(done, failed).finally(() => signal.removeEventListener('abort', aborted));
	});
}

/** Full jitter: anything from nothing to `min` doubled with every failure after the first, and to `max` at most. */
export function backoffMs(failed: number, min: number, max: number, random: number): number {
	return random * Math.min(max, min * 2 ** Math.min(Math.max(failed, 1) - 1, 30));
}
