import { api, asFailure, isAborted, type ApiError, type FollowEnd } from '$lib/api';
import { endsOf, followed, ROWS_MAX, widened, type LogFilter } from './rows';

/** Of the log, the newest that are read first where no time is said. */
const TAIL = 200;
/** So many are wanted before one has to ask for more. */
const FIRST = 50;
/** Pages that one look back may read before it looks back less far. */
const PAGES_MAX = 40;
/** It does not look back less far: a few milliseconds of a minute. */
const SCALE_MIN = 1e-4;
/** Records are not kept for longer. */
const KEPT_MS = 31 * 86_400_000;

/**
 * Executions of an app that ended, the newest first. The log is read forwards only: what is older is found by beginning
 * earlier and going on until what is known comes. With a time all since then is read, and the newest are kept.
 */
export class Records {
	items: FollowEnd[] = $state.raw([]);
	busy = $state(false);
	failure: ApiError | null = $state.raw(null);
	/** Whether there are more than are kept here. */
	cut = $state(false);
	/** Whether older ones may be found. */
	more = $state(false);
	#current: AbortController | null = null;
	#app = '';
	#filter: LogFilter = {};
	/** Since when all are here, in ms since 1970. */
	#from = 0;
	/** How far one looks back: kept from look to look, since a burst goes on. */
	#scale = 1;

	read(app: string, filter: LogFilter): Promise<void> {
		this.#app = app;
		this.#filter = filter;
		this.items = [];
		this.cut = false;
		this.more = false;
		this.#scale = 1;
		return this.#work(async (signal) => {
			if (filter.since !== undefined) return this.#since(signal);
			const page = await this.#page({ tail: TAIL }, signal);
			this.items = endsOf(page.items.map(followed));
			const first = page.items[0]?.data;
			this.#from = first === undefined ? Date.now() : Date.parse('started_at' in first ? first.started_at : first.at);
			// Lines take places of the newest: where much is logged few executions are among them.
			this.more = true;
			if (this.items.length < FIRST) await this.#back(signal);
		});
	}

	/** Reads older ones. */
	older = async (): Promise<void> => {
		if (this.more && !this.busy) await this.#work((signal) => this.#back(signal));
	};

	/** What is there stays. */
	stop = (): void => {
		this.#current?.abort();
		this.#current = null;
		this.busy = false;
	};

	async #work(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
		this.stop();
		const current = new AbortController();
		this.#current = current;
		this.failure = null;
		this.busy = true;
		try {
			await work(current.signal);
		} catch (thrown) {
			if (current === this.#current && !isAborted(thrown)) this.failure = asFailure(thrown);
		} finally {
			if (current === this.#current) this.busy = false;
		}
	}

	async #page(begin: { tail: number } | { since: string } | { cursor: string }, signal: AbortSignal) {
		const { script, level, outcome, text } = this.#filter;
		const query = { script, level, outcome: outcome as 'failed' | undefined, text, ...begin };
		const page = await api.get('/api/v1/admin/apps/{app}/logs', { path: { app: this.#app }, query, signal });
		signal.throwIfAborted();
		return page;
	}

	/** All since the time of the filter. */
	async #since(signal: AbortSignal): Promise<void> {
		let begin: { since: string } | { cursor: string } = { since: this.#filter.since ?? '1h' };
		for (;;) {
			const page = await this.#page(begin, signal);
			const all = [...endsOf(page.items.map(followed)), ...this.items];
			this.cut ||= all.length > ROWS_MAX;
			this.items = all.slice(0, ROWS_MAX);
			if (!page.has_more) return;
			begin = { cursor: page.cursor };
		}
	}

	/** Older ones, until there are some, or none is kept that is older. */
	async #back(signal: AbortSignal): Promise<void> {
		const limit = Date.now() - KEPT_MS;
		while (this.#from > limit && this.items.length < ROWS_MAX) {
			const from = Math.max(limit, widened(this.#from, Date.now(), this.#scale));
			const found = await this.#between(from, signal);
			if (found === null && this.#scale > SCALE_MIN) {
				this.#scale /= 8;
				continue;
			}
			if (found === null) break;
			this.#from = from;
			this.items = [...this.items, ...found].slice(0, ROWS_MAX);
			if (found.length < FIRST) this.#scale *= 4;
			if (found.length > 0) return;
		}
		this.more = false;
		this.cut = this.items.length >= ROWS_MAX;
	}

	/** Those that began after that and are not here yet, the newest first; null where they are too many for one look. */
	async #between(from: number, signal: AbortSignal): Promise<FollowEnd[] | null> {
		const known = new Set(this.items.map(({ execution_id }) => execution_id));
		const before = this.#from;
		let found: FollowEnd[] = [];
		let begin: { since: string } | { cursor: string } = { since: new Date(from).toISOString() };
		for (let pages = 0; pages < PAGES_MAX; pages += 1) {
			const page = await this.#page(begin, signal);
			const ends = endsOf(page.items.map(followed));
			found = [...ends.filter(({ execution_id }) => !known.has(execution_id)), ...found];
			// The newest of the page is where all is known from: what follows is here.
			const newest = ends[0];
			const met = newest !== undefined && (known.has(newest.execution_id) || (known.size === 0 && Date.parse(newest.started_at) > before));
			if (!page.has_more || met) return found;
			begin = { cursor: page.cursor };
		}
		return null;
	}
}
