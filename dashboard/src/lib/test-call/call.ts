import { api, type LogLine, type Outcome, type ScriptFailure, type Execution } from '$lib/api';
import type { TestRequest } from './request';

export interface HostCall {
	interface: string;
	function: string;
	/** Since the run began. */
	began_us: number;
	took_us: number;
	bytes_in: number;
	bytes_out: number;
	error: string | null;
}

/** A run of a script, as somebody sees it who watches. */
export interface TestAnswer {
	execution_id: string;
	version: number;
	outcome?: Outcome;
	status: number;
	headers: [name: string, value: string][];
	body?: string | null;
	body_base64?: string | null;
	failure: ScriptFailure | null;
	usage: Execution['usage'];
	logs: LogLine[];
	logs_dropped: number;
	calls: HostCall[];
	calls_dropped: number;
}

export function testCall(script: string, body: TestRequest, signal: AbortSignal): Promise<TestAnswer> {
	return api.untyped('post', '/api/v1/admin/scripts/{script_id}/test', { path: { script_id: script }, body, signal });
}
