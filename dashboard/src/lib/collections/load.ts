import { ApiError } from '$lib/api';

/**
 * A first page that may be refused without the page being refused: null where it was, and the list then asks itself and
 * shows why. A filter that does not read (422), a count that takes too long (504).
 */
export async function orLater<T>(answer: Promise<T>): Promise<T | null> {
	try {
		return await answer;
	} catch (failure) {
		if (failure instanceof ApiError && (failure.status === 422 || failure.status === 504)) return null;
		throw failure;
	}
}
