import { reading } from '$lib/load';
import type { LayoutLoad } from './$types';

/** Who is logged in; read once, and again after a login. */
export const load: LayoutLoad = (event) =>
	reading(event, async (api) => ({ user: await api.get('/api/v1/admin/auth/me') }));
