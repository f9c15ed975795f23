import { asFailure, type ApiError, type Page } from '$lib/api';

type Next<T> = (cursor?: string) => Promise<Page<T>>;

/**
 * A list read page by page: what a load function brought, then as much more as is asked for. Without a first page it
 * reads that itself, at once.
 */
export class Paged<T> {
	items: T[] = $state.raw([]);
	cursor: string | null = $state(null);
	busy = $state(false);
	failure: ApiError | null = $state.raw(null);
	/** Whether the first page is there. */
	ready = $state(false);
	readonly #next: Next<T>;
	#asked = 0;

	constructor(first: Page<T> | null, next: Next<T>) {
		this.#next = next;
		if (first === null) {
			// Not in the constructor's own turn: it may run inside a `$derived`, which must not write.
			queueMicrotask(() => void this.refresh());
			return;
		}
		this.items = first.items;
		this.cursor = first.cursor;
		this.ready = true;
	}

	/** Appends the next page. */
	more = async (): Promise<void> => {
		if (!this.busy && this.cursor !== null) await this.#read(this.cursor);
	};

	/** Starts again from the first page. */
	refresh = (): Promise<void> => this.#read(undefined);

	/** Takes out what is gone, without asking again. */
	remove(gone: (item: T) => boolean): void {
		this.items = this.items.filter((item) => !gone(item));
	}

	/** Puts a newer state in the place of an older one; a new one at the front. */
	put(item: T, same: (other: T) => boolean): void {
		const at = this.items.findIndex(same);
		this.items = at === -1 ? [item, ...this.items] : this.items.with(at, item);
	}

	async #read(cursor: string | undefined): Promise<void> {
		const asked = ++this.#asked;
		this.busy = true;
		this.failure = null;
		try {
			const page = await this.#next(cursor);
			if (asked !== this.#asked) return;
			this.items = cursor === undefined ? page.items : [...this.items, ...page.items];
			this.cursor = page.cursor;
			this.ready = true;
		} catch (thrown) {
			if (asked === this.#asked) this.failure = asFailure(thrown);
		} finally {
			if (asked === this.#asked) this.busy = false;
		}
	}
}
