/** What leads to each script of an app, from the state of what runs. Pure. */
import type { DeploymentState, RouteState, TriggerState } from '$lib/api';
import { byPath, routeName } from '$lib/routes/pattern';

/** Routes by the name of their script, in the order of their paths. */
export function routesOf(state: Pick<DeploymentState, 'routes'> | null | undefined): Map<string, RouteState[]> {
	const found = new Map<string, RouteState[]>();
	for (const route of [...(state?.routes ?? [])].sort(byPath)) {
		const those = found.get(route.script);
		if (those) those.push(route);
		else found.set(route.script, [route]);
	}
	return found;
}

/** How many triggers of each kind run a script: "2 kv, cron". */
export function triggersOf(triggers: readonly TriggerState[], script: string): string[] {
	const counts = new Map<string, number>();
	for (const trigger of triggers) {
		if (trigger.script === script) counts.set(trigger.kind, (counts.get(trigger.kind) ?? 0) + 1);
	}
	return [...counts].map(([kind, many]) => `${many === 1 ? '' : `${many} `}${kind.replace('_', ' ')}`);
}

/** Whether a script answers to what somebody looks for: its name, description, capabilities, or a path to it. */
export function answersTo(
	script: { name: string; description: string; capabilities: readonly string[]; kind: string },
	routes: readonly RouteState[],
	sought: string
): boolean {
	const words = sought.trim().toLowerCase().split(/\s+/).filter(Boolean);
	const text = [script.name, script.description, script.kind, ...script.capabilities, ...routes.map(routeName)].join(' ').toLowerCase();
	return words.every((word) => text.includes(word));
}
