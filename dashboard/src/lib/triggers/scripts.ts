import type { Client, Script } from '$lib/api';

/** Pages that are read at most: as many scripts as an app has by default. */
const PAGES_MAX = 5;

/** The scripts of an app, for choosing one and for their names. */
export async function scriptsOf(api: Client, app: string): Promise<Script[]> {
	const scripts: Script[] = [];
	let cursor: string | undefined;
	for (let pages = 0; pages < PAGES_MAX; pages += 1) {
		const page = await api.get('/api/v1/admin/scripts', { query: { app, limit: 200, cursor } });
		scripts.push(...page.items);
		if (page.cursor === null) break;
		cursor = page.cursor;
	}
	return scripts.sort((one, other) => one.name.localeCompare(other.name));
}

/** A script's name by its id; the beginning of the id of one that is gone. */
export function namer(scripts: readonly Pick<Script, 'id' | 'name'>[]): (id: string) => string {
	const names = new Map(scripts.map(({ id, name }) => [id, name]));
	return (id) => names.get(id) ?? `${id.slice(0, 8)}…`;
}
