import type { Client, Page, ScriptList } from '$lib/api';

type Item = ScriptList['items'][number];

/** Enough for what is shown at once: an app has a thousand scripts unless its quota says otherwise. */
const PAGES_MAX = 5;

/** An app's scripts, all of them where that can be; `cursor` says that there are more. */
export async function scriptsOf(api: Client, app: string): Promise<Page<Item>> {
	const items: Item[] = [];
	let cursor: string | null | undefined;
	for (let page = 0; page < PAGES_MAX && cursor !== null; page += 1) {
		const read: ScriptList = await api.get('/api/v1/admin/scripts', { query: { app, limit: 200, cursor } });
		items.push(...read.items);
		cursor = read.cursor;
	}
	return { items, cursor: cursor ?? null };
}
