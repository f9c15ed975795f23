import { ifAllowed, reading } from '$lib/load';
import { everyScript } from '$lib/scripts/all';
import { countFrom, firstOf, periodFrom } from '$lib/usage/periods';
import { readUsage } from '$lib/usage/read';
import type { PageLoad } from './$types';

export const load: PageLoad = (event) => {
	const { app } = event.params;
	const asked = event.url.searchParams;
	const period = periodFrom(asked.get('period'));
	const count = countFrom(asked.get('back'), period);
	const script = asked.get('script') ?? '';
	return reading(event, async (api) => {
		const first = firstOf(period, count, Date.now());
		const path = { app };
		const range = { period, from: new Date(first).toISOString() };
		const [usage, parts, quota, limits, restrictions, scripts] = await Promise.all([
			readUsage(api, app, { ...range, script_id: script === '' ? undefined : script }),
			readUsage(api, app, { ...range, by: 'script' }),
			api.answer('get', '/api/v1/admin/apps/{app}/quota', { path }),
			api.get('/api/v1/limits'),
			ifAllowed(api.get('/api/v1/admin/apps/{app}/restrictions', { path })),
			ifAllowed(everyScript(api, app))
		]);
		return { period, count, script, first, usage, parts, quota, limits: limits.items, restrictions, scripts: scripts ?? [] };
	});
};
