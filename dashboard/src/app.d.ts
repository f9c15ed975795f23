import type { App as Tenant, Me, Script } from '$lib/api';

declare global {
	namespace App {
		/** What an error page shows: the API's envelope, as it came. */
		interface Error {
			code: string;
			message: string;
			request_id?: string;
			details?: unknown;
		}

		/** What layouts load, for the shell: who is logged in, and which app and script the page is in. */
		interface PageData {
			user?: Me;
			app?: Tenant;
			script?: Script;
		}
	}
}

export {};
