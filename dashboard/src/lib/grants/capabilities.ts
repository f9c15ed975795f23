/** What an app can allow its scripts, in words, and which patterns say it. Pure; the server has the last word. */
import type { IconName } from '$lib/ui';

export interface Capability {
	word: string;
	title: string;
	/** What one who has it can do. */
	about: string;
	icon: IconName;
	/** What the names inside it are; null: it has none. */
	noun: string | null;
	examples: readonly string[];
	/** What a pattern covers. */
	covers: string;
}

const names = (noun: string) => `The name of a ${noun}, a beginning of names that ends in *, or * for all of them.`;

export const capabilities: readonly Capability[] = [
	{ word: 'kv', title: 'KV', about: 'Reads and writes entries.', icon: 'kv', noun: 'collection', examples: ['carts', 'tmp-*', '*'], covers: names('collection') },
	{ word: 'docs', title: 'Documents', about: 'Reads, finds and writes documents.', icon: 'docs', noun: 'collection', examples: ['orders', 'tmp-*', '*'], covers: names('collection') },
	{ word: 'files', title: 'Files', about: 'Reads and writes files.', icon: 'files', noun: 'collection', examples: ['images', 'tmp-*', '*'], covers: names('collection') },
	{ word: 'secrets', title: 'Secrets', about: 'Reads secrets by their names.', icon: 'secrets', noun: 'secret', examples: ['mail-api-key', 'mail-*', '*'], covers: names('secret') },
	{ word: 'invoke', title: 'Invoke', about: 'Calls other scripts of the app.', icon: 'play', noun: 'script', examples: ['resize', 'job-*', '*'], covers: names('script') },
	{ word: 'queue', title: 'Queues', about: 'Sends messages to queues.', icon: 'queues', noun: 'queue', examples: ['mails', 'job-*', '*'], covers: names('queue') },
	{ word: 'pubsub', title: 'Topics', about: 'Publishes messages on topics.', icon: 'send', noun: 'topic', examples: ['orders', 'order-*', '*'], covers: names('topic') },
	{ word: 'dead_letters', title: 'Dead letters', about: 'Reads, replays and resolves dead letters.', icon: 'letters', noun: null, examples: ['*'], covers: 'They have no names: * grants all of them.' },
	{ word: 'http', title: 'HTTP', about: 'Makes requests that leave the node.', icon: 'domains', noun: 'host', examples: ['api.example.com', '*.example.com', '10.0.0.0/8', '*'], covers: 'A host, the hosts below one (*.example.com), or * for every public host. A private address needs its network besides, such as 10.0.0.0/8.' },
	{ word: 'email', title: 'Mail', about: 'Sends mail through the relay of the node\u2019s owner.', icon: 'mail', noun: 'sender', examples: ['shop@example.com', '*@example.com', '*'], covers: 'The address of a sender, all of a domain (*@example.com), or *.' }
];

export const PATTERNS_MAX = 100;
const PATTERN_BYTES_MAX = 254;

/** Why a text is no pattern of a capability; null where it looks like one. */
export function wrong(capability: string, pattern: string, given: readonly string[]): string | null {
	if (pattern === '') return 'Write a pattern.';
	if (new TextEncoder().encode(pattern).length > PATTERN_BYTES_MAX) return `A pattern has at most ${PATTERN_BYTES_MAX} bytes.`;
	if (given.includes(pattern)) return `${pattern} is granted already.`;
	if (given.length >= PATTERNS_MAX) return `At most ${PATTERNS_MAX} patterns: a beginning with * covers many names.`;
	if (pattern === '*') return null;
	switch (capability) {
		case 'dead_letters':
			return 'Dead letters have no names: write *';
		case 'http':
			return wrongHost(pattern);
		case 'email':
			return wrongSender(pattern);
		default:
			return pattern.indexOf('*') === -1 || pattern.indexOf('*') === pattern.length - 1 ? null : 'The * stands at the end alone.';
	}
}

function wrongHost(pattern: string): string | null {
	if (pattern.includes('://')) return 'A host alone, without https:// and path.';
	if (pattern.includes('/')) {
		return /^[\da-fA-F.:]+\/\d{1,3}$/.test(pattern) ? null : 'A network is written as 10.0.0.0/8 or fd00::/8; a path is not granted.';
	}
	if (/\s/.test(pattern)) return 'A host has no spaces.';
	if (pattern.replace(/^\*\./, '').includes('*')) return 'The * stands before the first point alone: *.example.com';
	return null;
}

function wrongSender(pattern: string): string | null {
	const at = pattern.lastIndexOf('@');
	if (at < 1 || at === pattern.length - 1 || /\s/.test(pattern)) return 'An address, or *@example.com for all of a domain.';
	const local = pattern.slice(0, at);
	if (pattern.slice(at).includes('*') || (local !== '*' && local.includes('*'))) return 'The * stands for the whole part before the @ alone.';
	return null;
}

/** What a pattern says, in words. */
export function inWords({ noun, word }: Pick<Capability, 'noun' | 'word'>, pattern: string): string {
	if (pattern === '*') return word === 'http' ? 'every public host' : word === 'dead_letters' ? 'all of them' : `every ${noun}`;
	if (word === 'http') {
		if (pattern.includes('/')) return `addresses of the network ${pattern}`;
		return pattern.startsWith('*.') ? `hosts below ${pattern.slice(2)}` : `the host ${pattern}`;
	}
	if (word === 'email') return pattern.startsWith('*@') ? `every address at ${pattern.slice(2)}` : `the sender ${pattern}`;
	return pattern.endsWith('*') ? `every ${noun} that begins with ${pattern.slice(0, -1)}` : `the ${noun} ${pattern}`;
}

/** A capability that is granted as a whole makes narrower patterns idle. */
export function idle(word: string, patterns: readonly string[]): string[] {
	if (!patterns.includes('*')) return [];
	// Private networks are opened by their own pattern, beside *.
	return patterns.filter((pattern) => pattern !== '*' && !(word === 'http' && pattern.includes('/')));
}

export interface Reaching {
	id: string;
	name: string;
	capabilities: readonly string[];
}

/** The scripts that reach a capability; the API writes it as WIT does or as JSON does. */
export function reaching<T extends Reaching>(scripts: readonly T[], word: string): T[] {
	return scripts.filter(({ capabilities }) => capabilities.some((one) => one.replaceAll('-', '_') === word));
}
