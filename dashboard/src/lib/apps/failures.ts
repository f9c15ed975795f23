import type { Client, FollowEnd, FollowItem } from '$lib/api';

/** Lines of what failed come with the ends: so many items have some ends among them. */
const ITEMS = 200;

/** Ends of executions among what was logged, the newest first. */
export function ends(items: readonly FollowItem[], most: number): FollowEnd[] {
	return items.flatMap(({ data }) => ('outcome' in data ? [data] : [])).slice(-most).reverse();
}

export async function latestFailures(api: Client, app: string, most: number): Promise<FollowEnd[]> {
	const query = { outcome: 'failed' as const, tail: ITEMS };
	return ends((await api.get('/api/v1/admin/apps/{app}/logs', { path: { app }, query })).items, most);
}
