/** Deployments in words. Pure. */
import type { DeploymentChange } from '$lib/api';

const CAUSES: Readonly<Record<string, string>> = {
	'app.create': 'the app was made',
	'app.import': 'the app was imported',
	'script.create': 'a script was made',
	'script.publish': 'a script was published',
	'script.activate': 'another version was activated',
	'script.delete': 'a script was deleted',
	'route.create': 'a route was added',
	'route.delete': 'a route was deleted',
	'trigger.create': 'a trigger was added',
	'trigger.update': 'a trigger was changed',
	'trigger.delete': 'a trigger was deleted',
	'topic.set': 'who may subscribe to a topic was changed',
	'topic.delete': 'a topic was taken back',
	'grants.update': 'grants were changed',
	'grant.update': 'grants were changed',
	'restrictions.update': 'the instance restricted the app',
	'deployment.apply': 'a manifest was applied',
	'deployment.store': 'a manifest was stored',
	'deployment.activate': 'a deployment was activated',
	'deployment.rollback': 'rolled back',
	'app.rollback': 'rolled back'
};

/** What made a deployment; the API's own word where there is none of ours. */
export function cause(word: string): string {
	return CAUSES[word] ?? word.replace('.', ' ').replaceAll('_', ' ');
}

const ACTIONS = { add: 'new', change: 'changed', remove: 'goes' } as const;

export function action(change: Pick<DeploymentChange, 'action'>): string {
	return ACTIONS[change.action];
}

/** "2 new, 1 changed", or that nothing differs. */
export function summary(changes: readonly Pick<DeploymentChange, 'action'>[]): string {
	const counted = (['add', 'change', 'remove'] as const)
		.map((kind) => [changes.filter(({ action }) => action === kind).length, ACTIONS[kind]] as const)
		.filter(([many]) => many > 0)
		.map(([many, word]) => `${many} ${word === 'goes' && many > 1 ? 'go' : word}`);
	return counted.length === 0 ? 'no difference' : counted.join(', ');
}

/** What can be reached that could not before, over all changes; each once. */
export function gains(changes: readonly DeploymentChange[]): string[] {
	return [...new Set(changes.flatMap(({ thing, name, gained = [] }) => gained.map((gain) => (thing === 'grant' ? `${name}: ${gain}` : gain))))];
}

/** A value of a state as lines, so that two can be held against each other. */
export function lines(value: unknown): string {
	if (value === undefined || value === null) return '';
	return typeof value === 'string' ? value : JSON.stringify(value, null, 2);
}
