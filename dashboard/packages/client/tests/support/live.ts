/** Holds rules against a node: in Node, in a page of the app itself, and in a page from elsewhere. */
import { expect, test as plain, type Page } from '@playwright/test';
import { createClient } from '../../src/index.js';
import type { LiveRules, Make } from '../live.calls.js';
import { app, type App } from './app.js';
import { bundled } from './bundle.js';
import { local } from './fetch.js';
import { serve } from './server.js';

type Place = 'in Node' | 'in a page of the app' | 'in a page from elsewhere';
const PLACES: Place[] = ['in Node', 'in a page of the app', 'in a page from elsewhere'];

/** `entry` exports the rules as `name`; `more` is what the app needs besides. */
export function live(entry: string, name: string, rules: LiveRules, more: (app: App) => Promise<void> = async () => undefined): void {
	const test = plain.extend<object, { made: App; script: string; elsewhere: string }>({
		made: [
			async ({}, use) => {
				const made = await app(`client-${name}`);
				await more(made);
				await use(made);
			},
			{ scope: 'worker' }
		],
		script: [async ({}, use) => use(await bundled(entry)), { scope: 'worker' }],
		elsewhere: [
			async ({}, use) => {
				const served = await serve({ '/': { type: 'text/html', text: '<!doctype html><title>elsewhere</title>' } });
				await use(served.base);
				await served.stop();
			},
			{ scope: 'worker' }
		]
	});
	for (const place of PLACES) {
		test.describe(`${name} ${place}`, () => {
			for (const [rule, hold] of Object.entries(rules)) {
				test(rule, async ({ page, made: { base }, script, elsewhere }) => {
					if (place === 'in Node') await hold((options) => createClient({ baseUrl: base, fetch: local, ...options }));
					else await inPage(page, place === 'in a page of the app' ? `${base}/page` : elsewhere, script, [name, rule, base]);
				});
			}
		});
	}
}

async function inPage(page: Page, at: string, script: string, names: [string, string, string]): Promise<void> {
	const thrown: Error[] = [];
	page.on('pageerror', (error) => thrown.push(error));
	await page.goto(at);
	await page.addScriptTag({ content: script });
	await page.evaluate(async ([name, rule, base]) => {
		const { rules } = globalThis as unknown as { rules: Record<string, LiveRules> & { createClient: Make } };
		await rules[name]?.[rule]?.((options) => rules.createClient({ baseUrl: base, ...options }));
	}, names);
	expect(thrown).toEqual([]);
}
