/** Topics that can be subscribed to from outside, and tokens for them. Pure. */
import type { SubscriberToken, Topic, TopicAccess } from '$lib/api';
import { segment } from '$lib/api';

/** Who may subscribe: the word of it, and what it opens. */
export const access: Record<TopicAccess, { title: string; about: string }> = {
	internal: { title: 'Nobody', about: 'The topic is for triggers alone.' },
	public: { title: 'Everybody', about: 'Whoever knows the address reads what is published from then on.' },
	token: { title: 'With a token', about: 'Who has a token for the topic. Scripts make them for whom they let in, and people here.' }
};

/** How long a token may be good, seconds. */
export const lives = [
	{ value: '600', label: 'For ten minutes' },
	{ value: '3600', label: 'For an hour' },
	{ value: '28800', label: 'For eight hours' },
	{ value: '86400', label: 'For a day' }
] as const;
export type Life = (typeof lives)[number]['value'];

/** The topics that somebody wrote, each once: between them are commas, spaces and ends of lines. */
export function written(text: string): string[] {
	return [...new Set(text.split(/[\s,]+/).filter((name) => name !== ''))];
}

/** Where a topic is subscribed to, by the app's address. */
export function address(url: string, topic: string): string {
	return `${url.replace(/\/+$/, '')}/realtime/topics/${segment(topic)}`;
}

/** Following a topic from a terminal, and from a page. */
export function examples(url: string, { name, access: who }: Pick<Topic, 'name' | 'access'>): { command: string; program: string } {
	const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;
	const header = who === 'token' ? ' -H "authorization: Bearer $TOKEN"' : '';
	const options = who === 'token' ? ', { token }' : '';
	return {
		command: `curl -N${header} ${quoted(address(url, name))}`,
		program: [
			`import { createClient } from '@picloud/client';`,
			'',
			`const app = createClient({ baseUrl: ${JSON.stringify(url)} });`,
			`for await (const { seq, message } of app.subscribe(${JSON.stringify(name)}${options})) {`,
			'\tconsole.log(seq, message);',
			'}'
		].join('\n')
	};
}

/** Who made a token: a script, a person, or somebody who is gone. */
export function maker(
	{ made_by, made_by_script }: Pick<SubscriberToken, 'made_by' | 'made_by_script'>,
	scriptOf: (id: string) => string,
	people: ReadonlyMap<string, string>
): { kind: 'script' | 'person' | 'nobody'; name: string } {
	if (made_by_script !== null) return { kind: 'script', name: scriptOf(made_by_script) };
	if (made_by !== null) return { kind: 'person', name: people.get(made_by) ?? 'a person' };
	return { kind: 'nobody', name: 'somebody who is gone' };
}
