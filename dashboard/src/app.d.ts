declare global {
	namespace App {
		/** What an error page shows: the API's envelope, as it came. */
		interface Error {
			code: string;
			message: string;
			request_id?: string;
			details?: unknown;
		}
	}
}

export {};
