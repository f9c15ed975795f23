import { address, asFailure, isAborted, upload, type ApiError, type File as Stored } from '$lib/api';

export interface Upload {
	readonly id: number;
	readonly name: string;
	readonly size: number;
	readonly file: File;
	/** Between 0 and 1. */
	part: number;
	state: 'waits' | 'runs' | 'done' | 'failed';
	failure: ApiError | null;
}

/** So many at once: a node writes a few files at a time, and a line of a home has one speed. */
const AT_ONCE = 2;

/** Files on their way into a collection. They go on while the page is another one of the dashboard's. */
export class Uploads {
	list: Upload[] = $state.raw([]);
	readonly #target: (name: string) => string;
	readonly #arrived: (file: Stored) => void;
	readonly #bytesMax: number;
	readonly #stops = new Map<number, AbortController>();
	#last = 0;

	constructor(app: string, collection: string, bytesMax: number, arrived: (file: Stored) => void) {
		this.#target = (name) => address('/api/v1/admin/apps/{app}/files/{collection}', { app, collection }, { name });
		this.#bytesMax = bytesMax;
		this.#arrived = arrived;
	}

	get busy(): boolean {
		return this.list.some(({ state }) => state === 'waits' || state === 'runs');
	}

	/** `prefix` goes before each name. */
	add(files: Iterable<File>, prefix = ''): void {
		const added = [...files].map((file): Upload => {
			const base: Upload = { id: ++this.#last, name: prefix + file.name, size: file.size, file, part: 0, state: 'waits', failure: null };
			return file.size > this.#bytesMax ? { ...base, state: 'failed', failure: tooLarge(this.#bytesMax) } : base;
		});
		this.list = [...this.list, ...added];
		this.#next();
	}

	again(id: number): void {
		this.#set(id, { state: 'waits', part: 0, failure: null });
		this.#next();
	}

	/** Takes it out, and gives it up where it is under way. */
	remove(id: number): void {
		this.#stops.get(id)?.abort();
		this.list = this.list.filter((one) => one.id !== id);
	}

	/** Takes out what is there by now. */
	clear(): void {
		this.list = this.list.filter(({ state }) => state !== 'done');
	}

	#set(id: number, more: Partial<Upload>): void {
		this.list = this.list.map((one) => (one.id === id ? { ...one, ...more } : one));
	}

	#next(): void {
		while (this.list.filter(({ state }) => state === 'runs').length < AT_ONCE) {
			const next = this.list.find(({ state }) => state === 'waits');
			if (next === undefined) return;
			void this.#run(next);
		}
	}

	async #run({ id, name, file }: Upload): Promise<void> {
		const stop = new AbortController();
		this.#stops.set(id, stop);
		this.#set(id, { state: 'runs' });
		try {
			const progress = (part: number) => this.#set(id, { part });
			const stored = await upload<Stored>(this.#target(name), file, { signal: stop.signal, progress });
			this.#set(id, { state: 'done', part: 1 });
			this.#arrived(stored);
		} catch (thrown) {
			if (!isAborted(thrown)) this.#set(id, { state: 'failed', failure: asFailure(thrown) });
		} finally {
			this.#stops.delete(id);
			this.#next();
		}
	}
}

function tooLarge(bytesMax: number): ApiError {
	// Said before it is sent: the server says the same once it has begun to read it.
	return asFailure(new Error(`The file is larger than ${Math.floor(bytesMax / (1 << 20))} MiB, which is the most that one may have.`));
}
