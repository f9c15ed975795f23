import { getContext, setContext, untrack } from 'svelte';
import { asFailure, type ApiError } from '$lib/api';

const KEY = Symbol('form');

/** What a form that is being sent knows: whether it is under way, and what was refused. */
export class Submission {
	busy = $state(false);
	failure: ApiError | null = $state.raw(null);
	/** Names of the fields there are: a refusal of one of them is shown there, any other below the form. */
	#names: Record<string, number> = $state({});

	/** The refusal that no field shows. */
	get rest(): ApiError | null {
		const field = this.failure?.field;
		return field !== undefined && (this.#names[field] ?? 0) > 0 ? null : this.failure;
	}

	/** What is wrong with a field. */
	error(name: string | undefined): string | undefined {
		return name !== undefined && this.failure?.field === name ? this.failure.message : undefined;
	}

	/** Until the function that it returns is called. For effects: what it counts is not read as state. */
	field(name: string): () => void {
		const count = (by: number) => untrack(() => (this.#names[name] = (this.#names[name] ?? 0) + by));
		count(1);
		return () => void count(-1);
	}

	/** Does the work; true when it was done. A second call while one is under way does nothing. */
	async run(work: () => unknown): Promise<boolean> {
		if (this.busy) return false;
		this.busy = true;
		this.failure = null;
		try {
			await work();
			return true;
		} catch (thrown) {
			this.failure = asFailure(thrown);
			return false;
		} finally {
			this.busy = false;
		}
	}
}

export function provideSubmission(submission: Submission): void {
	setContext(KEY, submission);
}

/** That of the form around a field; absent outside of one. */
export function submissionAround(): Submission | undefined {
	return getContext<Submission | undefined>(KEY);
}
