import { reading } from '$lib/load';
import { scriptsOf } from '$lib/triggers/scripts';
import type { LayoutLoad } from './$types';

export const load: LayoutLoad = (event) => {
	const { app } = event.params;
	return reading(event, async (api) => ({ scripts: await scriptsOf(api, app) }));
};
