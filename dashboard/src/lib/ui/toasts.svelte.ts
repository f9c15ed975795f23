import type { ApiError } from '$lib/api';

export interface Toast {
	id: number;
	tone: 'good' | 'bad' | 'info';
	text: string;
	/** What can still be done about it: "Undo". */
	action?: { label: string; run: () => unknown } | undefined;
}

const STAYS_MS = 6000;
const SHOWN_MAX = 4;

/** Short news of what was done, at the edge of the page. What must not be missed belongs on the page itself. */
class Toasts {
	list: Toast[] = $state.raw([]);
	#last = 0;
	#timers = new Map<number, ReturnType<typeof setTimeout>>();

	/** "Route added." */
	good(text: string, action?: Toast['action']): void {
		this.#add({ tone: 'good', text, action }, STAYS_MS);
	}

	info(text: string, action?: Toast['action']): void {
		this.#add({ tone: 'info', text, action }, STAYS_MS);
	}

	/** A refusal of something that has no place on the page to show it. Stays twice as long. */
	failed(failure: ApiError): void {
		this.#add({ tone: 'bad', text: failure.message }, STAYS_MS * 2);
	}

	close(id: number): void {
		this.hold(id);
		this.list = this.list.filter((toast) => toast.id !== id);
	}

	/** While a pointer or the focus is on it, it stays. */
	hold(id: number): void {
		clearTimeout(this.#timers.get(id));
		this.#timers.delete(id);
	}

	release(id: number, ms = STAYS_MS): void {
		this.hold(id);
		this.#timers.set(id, setTimeout(() => this.close(id), ms));
	}

	#add(toast: Omit<Toast, 'id'>, ms: number): void {
		const id = ++this.#last;
		this.list = [...this.list, { ...toast, id }].slice(-SHOWN_MAX);
		this.release(id, ms);
	}
}

export const toasts = new Toasts();
