import { running } from '$lib/deployments/running';
import { reading } from '$lib/load';
import { everyScript } from '$lib/scripts/all';
import type { PageLoad } from './$types';

export const load: PageLoad = (event) => {
	const { app } = event.params;
	return reading(event, async (api) => {
		const [scripts, deployment] = await Promise.all([everyScript(api, app), running(api, app)]);
		return { scripts, state: deployment?.state ?? null };
	});
};
