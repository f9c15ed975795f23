import { ApiError, type Page } from './api';

/** A list read page by page: what a load function brought, then as much more as is asked for. */
export class Paged<T> {
	items: T[] = $state.raw([]);
	cursor: string | null = $state(null);
	busy = $state(false);
	failure: ApiError | null = $state.raw(null);
	readonly #next: (cursor?: string) => Promise<Page<T>>;

	constructor(first: Page<T>, next: (cursor?: string) => Promise<Page<T>>) {
		this.#next = next;
		this.items = first.items;
		this.cursor = first.cursor;
	}

	/** Appends the next page. */
	more = () => this.#read(this.cursor ?? undefined);

	/** Starts again from the first page. */
	refresh = () => this.#read(undefined);

	async #read(cursor: string | undefined): Promise<void> {
		if (this.busy) return;
		this.busy = true;
		this.failure = null;
		try {
			const page = await this.#next(cursor);
			this.items = cursor === undefined ? page.items : [...this.items, ...page.items];
			this.cursor = page.cursor;
		} catch (failure) {
			if (!(failure instanceof ApiError)) throw failure;
			this.failure = failure;
		} finally {
			this.busy = false;
		}
	}
}
