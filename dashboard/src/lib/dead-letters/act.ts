/** What is done to dead letters from more than one page. */
import { api, type DeadLetter, type DeadLetterDetail } from '$lib/api';
import { sendRaw } from '$lib/collections/raw';
import { toasts } from '$lib/ui';

const ONE = '/api/v1/admin/apps/{app}/dead_letters/{letter_id}/replay';

/** Has its event delivered again; the letter is resolved by it. */
export async function replay(app: string, { id }: Pick<DeadLetter, 'id'>): Promise<void> {
	await api.post(ONE, { path: { app, letter_id: id }, once: crypto.randomUUID() });
	toasts.good('It is delivered again. If it fails for good once more, a new letter appears.');
}

/** The same with another message, which is sent as its text stands: numbers keep all their digits. */
export async function replayEdited(app: string, { id }: Pick<DeadLetter, 'id'>, message: string): Promise<void> {
	await sendRaw('post', ONE, { app, letter_id: id }, { message }, { once: crypto.randomUUID() });
	toasts.good('The edited message is delivered in place of the old one.');
}

export function resolved(app: string, { id }: Pick<DeadLetter, 'id'>, reason: string): Promise<DeadLetterDetail> {
	return api.post('/api/v1/admin/apps/{app}/dead_letters/{letter_id}/resolve', { path: { app, letter_id: id }, body: { reason } });
}
