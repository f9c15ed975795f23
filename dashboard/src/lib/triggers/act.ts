/** What is done to a trigger from more than one page. */
import { api, asFailure, type Trigger, type TriggerChange } from '$lib/api';
import { toasts } from '$lib/ui';

/** The trigger as it is after the change. */
export function changed(app: string, { id }: Trigger, body: TriggerChange, ifMatch?: string | null): Promise<Trigger> {
	return api.patch('/api/v1/admin/apps/{app}/triggers/{trigger_id}', { path: { app, trigger_id: id }, body, ifMatch });
}

/** Fires a schedule; whether it did. */
export async function runNow(app: string, { id }: Trigger): Promise<boolean> {
	try {
		await api.post('/api/v1/admin/apps/{app}/triggers/{trigger_id}/run', { path: { app, trigger_id: id }, once: crypto.randomUUID() });
		toasts.good('Its script is run now. Executions & logs show how it went.');
		return true;
	} catch (thrown) {
		toasts.failed(asFailure(thrown));
		return false;
	}
}
