/** Dead letters in words, and the addresses of their lists. Pure. */
import type { DeadLetter, DeadLetterEvent } from '$lib/api';
import type { IconName } from '$lib/ui/icons';

export const SOURCES = ['queue', 'pubsub', 'cron', 'kv', 'docs', 'files', 'email', 'http', 'invoke'] as const;
export type Source = (typeof SOURCES)[number];

const ABOUT: Record<Source, { title: string; icon: IconName }> = {
	queue: { title: 'Queue', icon: 'queues' },
	pubsub: { title: 'Topic', icon: 'send' },
	cron: { title: 'Schedule', icon: 'clock' },
	kv: { title: 'KV', icon: 'kv' },
	docs: { title: 'Documents', icon: 'docs' },
	files: { title: 'Files', icon: 'files' },
	email: { title: 'Mail', icon: 'mail' },
	http: { title: 'Call that nobody waits for', icon: 'routes' },
	invoke: { title: 'Started script', icon: 'scripts' }
};

export function aboutSource(source: string): { title: string; icon: IconName } {
	return ABOUT[source as Source] ?? { title: source, icon: 'letters' };
}

/** What an event tells stands under the name of its source, which the schema cannot say. */
export function told(event: DeadLetterEvent): unknown {
	return (event as unknown as Record<string, unknown>)[event.source];
}

function field(event: DeadLetterEvent, ...names: string[]): string {
	const about = told(event);
	if (typeof about !== 'object' || about === null) return '';
	for (const name of names) {
		const value = (about as Record<string, unknown>)[name];
		if (typeof value === 'string' && value !== '') return value;
	}
	return '';
}

/** What it was about, as a name: "orders", "users/ada", "GET /reports". */
export function subjectOf(event: DeadLetterEvent): string {
	switch (event.source) {
		case 'queue':
			return field(event, 'name');
		case 'pubsub':
			return field(event, 'topic');
		case 'kv':
			return [field(event, 'collection'), field(event, 'key')].filter(Boolean).join('/');
		case 'docs':
			return [field(event, 'collection'), field(event, 'id')].filter(Boolean).join('/');
		case 'files':
			return [field(event, 'collection'), field(event, 'name')].filter(Boolean).join('/');
		case 'cron':
			return field(event, 'schedule');
		case 'email':
			return field(event, 'subject', 'from');
		case 'http':
			return [field(event, 'method'), field(event, 'path')].filter(Boolean).join(' ');
		default:
			return '';
	}
}

/** Whether another message can be sent in place of its own. */
export function editable({ event, trigger_id }: Pick<DeadLetter, 'event' | 'trigger_id'>): boolean {
	return (event.source === 'queue' || event.source === 'pubsub') && trigger_id !== null;
}

/** Why no attempt is left. */
export function reasonWords({ reason, attempts }: Pick<DeadLetter, 'reason' | 'attempts'>): string {
	switch (reason) {
		case 'attempts_exhausted':
			return attempts === 1 ? 'Its only attempt failed.' : `All ${attempts} attempts failed.`;
		case 'depth_exceeded':
			return 'The chain of events that led to it is too long; nothing was attempted.';
		case 'abandoned':
			return 'The nodes that had taken it ended before it did, too often.';
		case 'script_gone':
			return 'The script is gone.';
	}
}

export interface LetterFilter {
	unresolved: boolean;
	source?: Source | undefined;
	script_id?: string | undefined;
	trigger_id?: string | undefined;
}

/** The filter that an address names: unresolved ones unless it says all. */
export function letterFilter(search: URLSearchParams): LetterFilter {
	const source = search.get('source') ?? '';
	return {
		unresolved: search.get('state') !== 'all',
		source: (SOURCES as readonly string[]).includes(source) ? (source as Source) : undefined,
		script_id: search.get('script') || undefined,
		trigger_id: search.get('trigger') || undefined
	};
}

/** Whether more than the usual is left out. */
export function isNarrow({ source, script_id, trigger_id }: LetterFilter): boolean {
	return source !== undefined || script_id !== undefined || trigger_id !== undefined;
}

/** What a replay of many came to. */
export function replayedWords({ replayed, trigger_gone, more }: { replayed: number; trigger_gone: number; more: boolean }): string {
	const words = [replayed === 1 ? '1 letter is delivered again.' : `${replayed} letters are delivered again.`];
	if (trigger_gone > 0) words.push(`${trigger_gone} cannot be: their trigger is gone.`);
	if (more) words.push('There are more; replay again.');
	return words.join(' ');
}
