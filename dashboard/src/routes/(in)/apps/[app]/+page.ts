import { latestFailures } from '$lib/apps/failures';
import { readHealth, windowFrom } from '$lib/apps/health';
import { running } from '$lib/deployments/running';
import { ifAllowed, reading } from '$lib/load';
import { namesOf } from '$lib/people/names';
import type { PageLoad } from './$types';

const FAILURES_SHOWN = 6;

export const load: PageLoad = (event) => {
	const { app } = event.params;
	const span = windowFrom(event.url.searchParams.get('window'));
	return reading(event, async (api) => {
		const path = { app };
		const [scripts, deployment, split, health, failures, logged] = await Promise.all([
			api.get('/api/v1/admin/scripts', { query: { app, limit: 1 } }),
			running(api, app),
			ifAllowed(api.get('/api/v1/admin/apps/{app}/split', { path })),
			ifAllowed(readHealth(api, app, span)),
			ifAllowed(latestFailures(api, app, FAILURES_SHOWN)),
			ifAllowed(api.get('/api/v1/admin/apps/{app}/logs', { path, query: { tail: 1 } }))
		]);
		const names = await namesOf(api, app, (await event.parent()).user);
		return { span, scripts, deployment, split, health, failures, called: (logged?.items.length ?? 0) > 0, names };
	});
};
