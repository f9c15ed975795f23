import { asFailure, isAborted, type ApiError } from '$lib/api';

/**
 * One answer that a component asks for: the newest question counts, an older one is given up. For what is read after
 * the page is there (a panel that opens, a preview while typing); what a page needs at once is its load function's.
 */
export class Asked<T> {
	data: T | undefined = $state.raw(undefined);
	failure: ApiError | null = $state.raw(null);
	busy = $state(false);
	#current: AbortController | null = null;
	#timer: ReturnType<typeof setTimeout> | undefined;

	/** Asks now; what was there stays until the answer comes. */
	ask = async (question: (signal: AbortSignal) => Promise<T>): Promise<void> => {
		clearTimeout(this.#timer);
		this.#current?.abort();
		const current = new AbortController();
		this.#current = current;
		this.busy = true;
		try {
			const data = await question(current.signal);
			if (current !== this.#current) return;
			this.data = data;
			this.failure = null;
		} catch (thrown) {
			if (current !== this.#current || isAborted(thrown)) return;
			this.failure = asFailure(thrown);
		} finally {
			if (current === this.#current) this.busy = false;
		}
	};

	/** Asks once nothing new came for a while: while somebody types. */
	soon = (question: (signal: AbortSignal) => Promise<T>, ms = 400): void => {
		clearTimeout(this.#timer);
		this.#timer = setTimeout(() => void this.ask(question), ms);
	};

	/** Gives up what is asked: when the component goes. */
	stop = (): void => {
		clearTimeout(this.#timer);
		this.#current?.abort();
		this.#current = null;
		this.busy = false;
	};
}
