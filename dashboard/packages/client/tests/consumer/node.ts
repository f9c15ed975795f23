/** A program in Node that uses the package as it is built: its types are whole without those of a browser. */
import { PiCloudError, createClient, limits, type Message } from '@picloud/client';

interface Shop {
	'GET /orders/:id': { response: { total: number } };
}

const shop = createClient<Shop>({ baseUrl: 'http://shop.localhost:8080', credentials: 'omit', headers: { accept: '*/*' } });

export async function total(id: number): Promise<number> {
	try {
		return (await shop.call('GET /orders/:id', { params: { id }, retries: limits.RETRIES_MAX })).total;
	} catch (error) {
		if (error instanceof PiCloudError && error.status === 404) return 0;
		throw error;
	}
}

export async function first(): Promise<Message<{ n: number }> | null> {
	for await (const message of shop.subscribe<{ n: number }>('numbers')) return message;
	return null;
}
