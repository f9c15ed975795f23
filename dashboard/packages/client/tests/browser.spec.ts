/** The rules of `core.*` in Chromium. In Node: `node.test.ts`. */
import { expect, test as base, type Page } from '@playwright/test';
import { calls } from './core.calls.js';
import { subscriptions } from './core.subscriptions.js';
import { bundled } from './support/bundle.js';
import type { Rules } from './support/check.js';
import { serve } from './support/server.js';

interface Opened {
	page: Page;
	server: string;
	thrown: Error[];
}

/** One page for all of them, with the rules in it, from the server that they ask. */
const test = base.extend<object, { opened: Opened }>({
	opened: [
		async ({ browser }, use) => {
			const page = '<!doctype html><meta charset="utf-8"><title>rules</title><script src="/rules.js"></script>';
			const server = await serve({ '/': { type: 'text/html', text: page }, '/rules.js': { type: 'text/javascript', text: await bundled('core.ts') } });
			const opened: Opened = { page: await browser.newPage(), server: server.base, thrown: [] };
			opened.page.on('pageerror', (error) => opened.thrown.push(error));
			await opened.page.goto(server.base);
			await use(opened);
			await opened.page.close();
			await server.stop();
		},
		{ scope: 'worker' }
	]
});

for (const [group, rules] of Object.entries({ calls, subscriptions })) {
	test.describe(`in a browser: ${group}`, () => {
		for (const rule of Object.keys(rules)) {
			test(rule, async ({ opened: { page, server, thrown } }) => {
				await page.evaluate(
					async ([group, rule, server]) => {
						const { rules: all } = globalThis as unknown as { rules: Record<string, Rules> };
						await all[group]?.[rule]?.(server);
					},
					[group, rule, server] as const
				);
				expect(thrown).toEqual([]);
			});
		}
	});
}
