import type { Client, Deployment } from '$lib/api';

/** All that are kept: the API keeps about a hundred, so this is one page. */
const KEPT = 200;

/**
 * What an app runs, with its state: every route and trigger of every script in one answer, without their ids. Null
 * before the app's first change.
 */
export async function running(api: Client, app: string): Promise<Deployment | null> {
	const { items } = await api.get('/api/v1/admin/apps/{app}/deployments', { path: { app }, query: { limit: KEPT } });
	const active = items.find(({ active }) => active);
	if (active === undefined) return null;
	return api.get('/api/v1/admin/apps/{app}/deployments/{number}', { path: { app, number: active.deployment } });
}
