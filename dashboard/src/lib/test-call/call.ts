import { api, type NewTestCall, type TestCall } from '$lib/api';

export function testCall(script: string, body: NewTestCall, signal: AbortSignal): Promise<TestCall> {
	return api.post('/api/v1/admin/scripts/{script_id}/test', { path: { script_id: script }, body, signal });
}
