/** How an app does, at a glance. */
import type { AppHealth, Client } from '$lib/api';

/** An hour by the minute, or a day by the hour. */
export type Window = 'hour' | 'day';

export function readHealth(api: Client, app: string, window: Window, signal?: AbortSignal): Promise<AppHealth> {
	return api.get('/api/v1/admin/apps/{app}/health', { path: { app }, query: { window }, signal });
}

export function windowFrom(word: string | null): Window {
	return word === 'day' ? 'day' : 'hour';
}

/** Past so many, figures are counted no further. */
export const DEAD_LETTERS_COUNTED_MAX = 10_000;

/** "3 dead letters"; "10 000 dead letters or more" where counting ended. */
export function letters(unresolved: number): string {
	const grouped = unresolved.toLocaleString('en').replaceAll(',', '\u202f');
	const words = `${grouped} dead ${unresolved === 1 ? 'letter' : 'letters'}`;
	return unresolved >= DEAD_LETTERS_COUNTED_MAX ? `${words} or more` : words;
}
