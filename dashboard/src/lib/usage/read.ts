import type { AppUsage, Client } from '$lib/api';
import type { Period } from './periods';

/** Of a year of days by script there may be more; then the oldest are read. */
const PAGES_MAX = 10;

interface Asked {
	period: Period;
	from: string;
	script_id?: string | undefined;
	by?: 'script';
}

/** All that was used since, page by page. */
export async function readUsage(api: Client, app: string, asked: Asked): Promise<AppUsage[]> {
	const all: AppUsage[] = [];
	let cursor: string | undefined;
	for (let pages = 0; pages < PAGES_MAX; pages += 1) {
		const page = await api.get('/api/v1/admin/apps/{app}/usage', { path: { app }, query: { ...asked, cursor, limit: 200 } });
		all.push(...page.items);
		if (page.cursor === null) break;
		cursor = page.cursor;
	}
	return all;
}
