import { ifAllowed, reading } from '$lib/load';
import { namesOf } from '$lib/people/names';
import type { PageLoad } from './$types';

export const load: PageLoad = (event) => {
	const { app } = event.params;
	const number = Number(event.params.number);
	const asked = Number(event.url.searchParams.get('against'));
	return reading(event, async (api) => {
		const path = { app, number };
		const { user } = await event.parent();
		const [deployment, deployments, names] = await Promise.all([
			api.get('/api/v1/admin/apps/{app}/deployments/{number}', { path }),
			api.get('/api/v1/admin/apps/{app}/deployments', { path: { app }, query: { limit: 200 } }),
			namesOf(api, app, user)
		]);
		// What runs is held against the one before it, any other against what runs.
		const before = deployments.items.find((other) => other.deployment < number)?.deployment;
		const usual = deployment.active ? before : deployments.items.find(({ active }) => active)?.deployment;
		const against = Number.isInteger(asked) && asked > 0 ? asked : usual;
		const difference =
			against === undefined || against === number
				? null
				: await ifAllowed(api.get('/api/v1/admin/apps/{app}/deployments/{number}/diff', { path, query: { against } }));
		return { deployment, deployments: deployments.items, difference, against: against ?? null, names };
	});
};
