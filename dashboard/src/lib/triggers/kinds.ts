/** The kinds of triggers, and what one of them listens to, in words. Pure. */
import type { ChangeOp, DeadLetterFilter, Trigger } from '$lib/api';
import type { IconName } from '$lib/ui/icons';

export const KINDS = ['queue', 'cron', 'kv', 'docs', 'files', 'pubsub', 'email', 'dead_letter'] as const;
export type Kind = (typeof KINDS)[number];

interface KindInfo {
	/** In lists and headings. */
	title: string;
	icon: IconName;
	/** When it has a script run. */
	text: string;
	/** Where a script finds what happened. */
	reads: string;
}

export const kinds: Record<Kind, KindInfo> = {
	queue: {
		title: 'Queue',
		icon: 'queues',
		text: 'For each message of a queue, once, as its one consumer. Messages wait for it.',
		reads: 'ctx.event.queue.message'
	},
	cron: {
		title: 'Schedule',
		icon: 'clock',
		text: 'At the times of a cron expression, in a time zone.',
		reads: 'ctx.event.cron.scheduled_at'
	},
	kv: { title: 'KV', icon: 'kv', text: 'When entries of KV collections are written or deleted.', reads: 'ctx.event.kv' },
	docs: { title: 'Documents', icon: 'docs', text: 'When documents are written or deleted.', reads: 'ctx.event.docs' },
	files: { title: 'Files', icon: 'files', text: 'When files are written or deleted.', reads: 'ctx.event.files' },
	pubsub: {
		title: 'Topic',
		icon: 'send',
		text: 'For each message that is published to a topic. Every subscriber gets it.',
		reads: 'ctx.event.pubsub.message'
	},
	email: { title: 'Mail', icon: 'mail', text: 'For each mail that is posted to an address of its own.', reads: 'ctx.event.email' },
	dead_letter: {
		title: 'Dead letters',
		icon: 'letters',
		text: 'When an event of another trigger has failed for good.',
		reads: 'ctx.event.dead_letter'
	}
};

export function isKind(word: string | null): word is Kind {
	return word !== null && (KINDS as readonly string[]).includes(word);
}

/** What a trigger listens to, told apart by its kind: the schema has the fields of all kinds side by side. */
export type Rule =
	| { kind: 'kv' | 'docs' | 'files'; collection: string; ops: ChangeOp[] }
	| { kind: 'cron'; schedule: string; timezone: string; next_tick_at: string | null; next_ticks: string[] }
	| { kind: 'pubsub'; topic: string }
	| { kind: 'queue'; queue: string }
	| { kind: 'email'; secret: string; path: string }
	| { kind: 'dead_letter'; filter: DeadLetterFilter };

export function ruleOf(trigger: Trigger): Rule {
	if ('collection' in trigger) {
		const kind = trigger.kind === 'docs' || trigger.kind === 'files' ? trigger.kind : 'kv';
		return { kind, collection: trigger.collection, ops: trigger.ops };
	}
	if ('schedule' in trigger) {
		const { schedule, timezone, next_tick_at } = trigger;
		return { kind: 'cron', schedule, timezone, next_tick_at, next_ticks: trigger.next_ticks ?? [] };
	}
	if ('topic' in trigger) return { kind: 'pubsub', topic: trigger.topic };
	if ('queue' in trigger) return { kind: 'queue', queue: trigger.queue };
	if ('secret' in trigger) return { kind: 'email', secret: trigger.secret, path: trigger.path };
	return { kind: 'dead_letter', filter: trigger.filter };
}

/** The one word that tells a trigger from others of its kind; it is typed before the trigger is deleted. */
export function subject(trigger: Trigger): string {
	const rule = ruleOf(trigger);
	switch (rule.kind) {
		case 'cron':
			return rule.schedule;
		case 'pubsub':
			return rule.topic;
		case 'queue':
			return rule.queue;
		case 'email':
			return rule.secret;
		case 'dead_letter':
			return 'dead letters';
		default:
			return rule.collection;
	}
}

/** "insert and update", "every write". */
export function opWords(ops: readonly string[]): string {
	if (ops.length >= 3) return 'every write';
	return ops.join(' and ');
}

/** What a pattern of collections or topics covers. */
export function patternWords(pattern: string, thing: 'collection' | 'topic'): string {
	if (pattern === '') return '';
	if (pattern === '*') return `Every ${thing}.`;
	if (thing === 'topic' && pattern.endsWith('.*')) return `Topics that begin with "${pattern.slice(0, -1)}".`;
	if (thing === 'collection' && pattern.endsWith('*')) return `Collections that begin with "${pattern.slice(0, -1)}".`;
	return `The ${thing} "${pattern}" and no other.`;
}

/** What a trigger listens to, beside its subject: shown under it. */
export function detail(trigger: Trigger, nameOf: (scriptId: string) => string): string {
	const rule = ruleOf(trigger);
	switch (rule.kind) {
		case 'cron':
			return rule.timezone;
		case 'pubsub':
			return 'each message';
		case 'queue':
			return 'each message, once';
		case 'email':
			return 'signed with this secret';
		case 'dead_letter':
			return filterWords(rule.filter, nameOf);
		default:
			return `on ${opWords(rule.ops)}`;
	}
}

/** What being switched off means for what would have come. */
export function offWords(kind: Kind): string {
	switch (kind) {
		case 'queue':
			return 'Messages of its queue wait until it is active again.';
		case 'cron':
			return 'What was due waits until it is active again. Ticks that are missed while it is off do not fire.';
		case 'email':
			return 'What was due waits until it is active again. Mail that comes in while it is off is refused.';
		default:
			return 'What was due waits until it is active again. Nothing that happens while it is off is kept for it.';
	}
}

function filterWords({ source, trigger_id, script_id }: DeadLetterFilter, nameOf: (scriptId: string) => string): string {
	const words = [
		source ? `of the source ${source}` : '',
		script_id ? `of the script ${nameOf(script_id)}` : '',
		trigger_id ? `of the trigger ${trigger_id}` : ''
	].filter(Boolean);
	return words.length === 0 ? 'all of them' : words.join(', ');
}
