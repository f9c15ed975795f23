import { reading } from '$lib/load';
import type { LayoutLoad } from './$types';

/** The script that all tabs below are about. */
export const load: LayoutLoad = (event) => {
	const { script } = event.params;
	return reading(event, async (api) => ({
		script: await api.get('/api/v1/admin/scripts/{script_id}', { path: { script_id: script } })
	}));
};
