import { reading } from '$lib/load';
import type { LayoutLoad } from './$types';

/** The script that all tabs below are about, and the ETag of the state that was read. */
export const load: LayoutLoad = (event) => {
	const { script } = event.params;
	return reading(event, async (api) => {
		const { data, etag } = await api.answer('get', '/api/v1/admin/scripts/{script_id}', { path: { script_id: script } });
		return { script: data, etag };
	});
};
