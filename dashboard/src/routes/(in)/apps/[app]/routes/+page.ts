import { running } from '$lib/deployments/running';
import { reading } from '$lib/load';
import { everyScript } from '$lib/scripts/all';
import type { PageLoad } from './$types';

export const load: PageLoad = (event) => {
	const { app } = event.params;
	return reading(event, async (api) => {
		const [scripts, deployment, domains] = await Promise.all([
			everyScript(api, app),
			running(api, app),
			api.get('/api/v1/admin/apps/{app}/domains', { path: { app }, query: { limit: 200 } })
		]);
		const hosts = domains.items.filter(({ verified_at }) => verified_at !== null).map(({ host }) => host);
		return { scripts, routes: deployment?.state?.routes ?? [], hosts };
	});
};
