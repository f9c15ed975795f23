import type { Client, Script } from '$lib/api';

const PAGE = 200;
/** More than anybody chooses from a list; past it, those that come first. */
const PAGES_MAX = 10;

/** Every script of an app, by name: for lists to choose from, and names for ids. */
export async function everyScript(api: Client, app: string): Promise<Script[]> {
	const all: Script[] = [];
	let cursor: string | undefined;
	for (let pages = 0; pages < PAGES_MAX; pages += 1) {
		const page = await api.get('/api/v1/admin/scripts', { query: { app, cursor, limit: PAGE } });
		all.push(...page.items);
		if (page.cursor === null) break;
		cursor = page.cursor;
	}
	return all.sort((one, other) => one.name.localeCompare(other.name));
}
