/**
 * One thing at a time from who has it to who asks for it. Who gives waits until it was dealt with: until the next one is asked
 * for. So nothing is gathered for somebody who is slow.
 */
export class Handoff<T> implements AsyncIterator<T, undefined> {
	#given: { item: T; dealt: () => void } | null = null;
	/** What was taken last, and is being dealt with. */
	#taken: (() => void) | null = null;
	#asking: { done: (result: IteratorResult<T, undefined>) => void; failed: (cause: Error) => void }[] = [];
	#end: { cause: Error | null } | null = null;

	/** `onReturn` is called when nobody will ask any more. */
	constructor(readonly onReturn: () => void) {}

	/** Calls `dealt` when the item was taken and dealt with; never more than one is given at a time. */
	give(item: T, dealt: () => void): void {
		this.#given = { item, dealt };
		this.#match();
	}

	/** Nothing more comes, nor what was not taken; who asks next is told the cause, if there is one. */
	end(cause: Error | null): void {
		this.#end ??= { cause };
		this.#given = null;
		this.#match();
	}

	next(): Promise<IteratorResult<T, undefined>> {
		return new Promise((done, failed) => {
			this.#settle();
			this.#asking.push({ done, failed });
			this.#match();
		});
	}

	return(): Promise<IteratorResult<T, undefined>> {
		this.#settle();
		this.onReturn();
		return Promise.resolve({ done: true, value: undefined });
	}

	#settle(): void {
		const dealt = this.#taken;
		this.#taken = null;
		dealt?.();
	}

	#match(): void {
		while (this.#asking.length > 0) {
			if (this.#given === null && this.#end === null) return;
			const asking = this.#asking.shift();
			if (this.#given !== null) {
				const { item, dealt } = this.#given;
				this.#given = null;
				this.#taken = dealt;
				asking?.done({ done: false, value: item });
				// Another one is asking already: it is served next.
				if (this.#asking.length > 0) this.#settle();
				continue;
			}
			const cause = this.#end?.cause ?? null;
			if (cause === null) asking?.done({ done: true, value: undefined });
			else asking?.failed(cause);
			this.#end = { cause: null };
		}
	}
}
