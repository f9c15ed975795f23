/** A trigger that is being written, and what is sent of it. Pure. */
import type { Kind } from './kinds';
import type { Retry } from './retry';

export const OPS = ['insert', 'update', 'delete'] as const;

/** The fields of all kinds: another kind keeps what was written. */
export interface Draft {
	script_id: string;
	collection: string;
	ops: Record<(typeof OPS)[number], boolean>;
	schedule: string;
	timezone: string;
	topic: string;
	queue: string;
	secret: string;
	filter: { source: string; script_id: string; trigger_id: string };
	retry: Retry;
}

export function emptyDraft(timezone: string, retry: Retry): Draft {
	return {
		script_id: '',
		collection: '',
		ops: { insert: true, update: true, delete: true },
		schedule: '0 30 2 * * *',
		timezone,
		topic: '',
		queue: '',
		secret: '',
		filter: { source: '', script_id: '', trigger_id: '' },
		retry: { ...retry }
	};
}

/** The body of a new trigger: the fields of its kind and the retry policy. */
export function bodyOf(kind: Kind, draft: Draft) {
	return { script_id: draft.script_id, ...draft.retry, ...ruleBody(kind, draft) };
}

function ruleBody(kind: Kind, draft: Draft) {
	switch (kind) {
		case 'cron':
			return { schedule: draft.schedule.trim(), timezone: draft.timezone.trim() || 'UTC' };
		case 'pubsub':
			return { topic: draft.topic.trim() };
		case 'queue':
			return { queue: draft.queue.trim() };
		case 'email':
			return { secret: draft.secret };
		case 'dead_letter': {
			const { source, script_id, trigger_id } = draft.filter;
			return { filter: { ...(source && { source }), ...(script_id && { script_id }), ...(trigger_id && { trigger_id }) } };
		}
		default: {
			const ops = OPS.filter((op) => draft.ops[op]);
			return { collection: draft.collection.trim(), ops };
		}
	}
}
