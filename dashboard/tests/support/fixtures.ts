import { expect, test as base, type Page } from '@playwright/test';
import { Api } from './api';
import { run } from './run';

interface Fixtures {
	api: Api;
	/** Statuses of refusals that a test brings about: the browser writes each of them to the console. */
	refusals: number[];
	/** Of every page: nothing in the console, no violation of the policy, nothing asked of another origin. */
	watched: void;
}

/** What an app may be without. */
const absent = /\/apps\/[^/]+\/split$/;

/** Logged in, on the node of this run; what goes wrong in the background fails the test. */
export const test = base.extend<Fixtures>({
	refusals: [[], { option: true }],
	baseURL: async ({}, use) => use(run().admin),
	storageState: async ({}, use) => use(session(run().admin, run().token)),
	api: async ({}, use) => use(new Api(run().admin, run().token)),
	watched: [
		async ({ context, refusals }, use) => {
			const wrong: string[] = [];
			await context.addInitScript(() =>
				addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI, sourceFile, lineNumber, sample }) =>
					console.error(`policy: ${violatedDirective} ${blockedURI} ${sourceFile}:${lineNumber} ${sample}`)
				)
			);
			context.on('console', (message) => {
				if (message.type() !== 'error' && message.type() !== 'warning') return;
				const status = /^Failed to load resource: the server responded with a status of (\d+)/.exec(message.text())?.[1];
				if (status !== undefined && refusals.includes(Number(status))) return;
				// "There is none" is a refusal of the API as well, which the page shows as absent.
				if (status === '404' && absent.test(message.location().url)) return;
				wrong.push(`console: ${message.text()} (${message.location().url})`);
			});
			context.on('weberror', (failure) => wrong.push(`thrown: ${failure.error().stack ?? failure.error().message}`));
			context.on('request', (request) => {
				const { origin, protocol } = new URL(request.url());
				if (origin !== run().admin && protocol !== 'data:' && protocol !== 'blob:') wrong.push(`asked elsewhere: ${request.url()}`);
			});
			await use();
			expect(wrong, 'console, policy and requests of the pages').toEqual([]);
		},
		{ auto: true }
	]
});

/** A browser without a login. */
export const nobody = { storageState: async ({}, use: (state: { cookies: []; origins: [] }) => Promise<void>) => use({ cookies: [], origins: [] }) };

export { expect };

function session(admin: string, token: string) {
	const { hostname } = new URL(admin);
	return {
		cookies: [{ name: 'picloud_session', value: token, domain: hostname, path: '/', expires: -1, httpOnly: true, secure: false, sameSite: 'Strict' as const }],
		origins: []
	};
}

/** Opens a page and waits until it stands: its heading is there and nothing is being asked. */
export async function open(page: Page, path: string): Promise<void> {
	await page.goto(path);
	await settled(page);
}

export async function settled(page: Page): Promise<void> {
	await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
	await expect(page.locator('[role="status"][aria-label^="Loading"]')).toHaveCount(0);
	await page.evaluate(() => document.fonts.ready);
}

/** The theme as a person chooses it, before the page is there. */
export async function themed(page: Page, theme: 'light' | 'dark'): Promise<void> {
	await page.addInitScript((choice) => localStorage.setItem('picloud-theme', choice), theme);
}
