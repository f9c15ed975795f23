/** Subscriptions on a real node. */
import { subscriptions } from './live.subscriptions.js';
import type { App } from './support/app.js';
import { live } from './support/live.js';

const PUBLISH = 'pubsub::publish(ctx.request.params.topic, ctx.request.body.message); ()';
const TOKEN = '#{ token: pubsub::subscriber_token(ctx.request.body.topics, 60) }';

async function topics({ slug, api, add }: App): Promise<void> {
	for (const [topic, access] of [['open', 'public'], ['closed', 'token'], ['internal', 'internal']]) {
		await api.put(`/admin/apps/${slug}/topics/${topic}`, { access });
	}
	await add('publish', PUBLISH, [{ method: 'POST', path: '/publish/:topic' }]);
	await add('token', TOKEN, [{ method: 'POST', path: '/token' }]);
}

live('live.ts', 'subscriptions', subscriptions, topics);
