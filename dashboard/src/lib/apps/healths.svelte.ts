import { SvelteMap } from 'svelte/reactivity';
import { api, isAborted, type AppHealth } from '$lib/api';
import { readHealth } from './health';

/** So many are asked for at once: fifty apps must not stand in the way of what the page asks else. */
const AT_ONCE = 4;

/** The health of many apps, each asked for once, in the order in which they were wanted. */
export class Healths {
	/** Null: it could not be read. */
	readonly #known = new SvelteMap<string, AppHealth | null>();
	readonly #wanted = new Set<string>();
	#waiting: string[] = [];
	#running = 0;
	#round = new AbortController();

	/** Undefined while it is not there yet. */
	of(slug: string): AppHealth | null | undefined {
		return this.#known.get(slug);
	}

	want(slugs: readonly string[]): void {
		const fresh = slugs.filter((slug) => !this.#wanted.has(slug));
		for (const slug of fresh) this.#wanted.add(slug);
		this.#waiting.push(...fresh);
		this.#next();
	}

	/** Asks anew for all; what was known stays until the answer comes. */
	refresh(): void {
		const slugs = [...this.#wanted];
		this.stop();
		this.#round = new AbortController();
		this.want(slugs);
	}

	stop(): void {
		this.#round.abort();
		this.#wanted.clear();
		this.#waiting = [];
	}

	#next(): void {
		while (this.#running < AT_ONCE) {
			const slug = this.#waiting.shift();
			if (slug === undefined) return;
			this.#running += 1;
			void this.#ask(slug).finally(() => {
				this.#running -= 1;
				this.#next();
			});
		}
	}

	async #ask(slug: string): Promise<void> {
		try {
			this.#known.set(slug, await readHealth(api, slug, 'hour', this.#round.signal));
		} catch (thrown) {
			if (!isAborted(thrown)) this.#known.set(slug, null);
		}
	}
}
