import { follow, type ApiError, type Followed, type FollowState } from '$lib/api';
import { appended, ROWS_MAX, type LogFilter } from './rows';

/** News is shown this often at most: a busy app writes faster than one reads. */
const SHOWN_EVERY_MS = 120;
/** What is there before the first news. */
const TAIL = 200;

/** The log of an app as it is written: the newest rows, and those that wait while one reads. */
export class Tail {
	rows: Followed[] = $state.raw([]);
	state: FollowState = $state('connecting');
	failure: ApiError | null = $state.raw(null);
	paused = $state(false);
	/** Rows that came since it was paused. */
	waiting = $state(0);
	#held: Followed[] = [];
	#dropped = 0;
	#stop: (() => void) | null = null;
	#timer: ReturnType<typeof setTimeout> | undefined;

	/** Begins anew with these filters. */
	start(app: string, filter: LogFilter): void {
		this.stop();
		this.clear();
		this.paused = false;
		this.#stop = follow({
			app,
			query: { ...filter, tail: TAIL },
			events: (batch) => this.#take(batch),
			state: (state, failure) => {
				this.state = state;
				this.failure = failure;
			}
		});
	}

	stop(): void {
		this.#stop?.();
		this.#stop = null;
		clearTimeout(this.#timer);
		this.#timer = undefined;
	}

	pause(): void {
		this.paused = true;
	}

	resume(): void {
		this.paused = false;
		this.#show();
	}

	/** Takes away what is shown; what comes is shown as before. */
	clear(): void {
		this.rows = [];
		this.#held = [];
		this.waiting = 0;
	}

	#take(batch: Followed[]): void {
		this.#held = appended(this.#held, batch.map((row) => this.#named(row)), ROWS_MAX);
		this.#timer ??= setTimeout(() => {
			this.#timer = undefined;
			if (this.paused) this.waiting = this.#held.length;
			else this.#show();
		}, SHOWN_EVERY_MS);
	}

	/** What was dropped has no id of its own in the stream: it carries that of the row before it. */
	#named(row: Followed): Followed {
		return row.event === 'dropped' ? { ...row, id: `dropped ${(this.#dropped += 1)}` } : row;
	}

	#show(): void {
		if (this.#held.length > 0) this.rows = appended(this.rows, this.#held);
		this.#held = [];
		this.waiting = 0;
	}
}
