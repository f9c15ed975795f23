import { expect, type Page } from '@playwright/test';
import axe from 'axe-core';

interface Found {
	violations: { id: string; impact: string | null; help: string; nodes: { target: unknown[]; failureSummary?: string }[] }[];
}

/** Holds the page against axe's rules: nothing moderate or worse. The rest is printed. */
export async function accessible(page: Page, what: string): Promise<void> {
	// Put in by the debugger's door: the page's policy lets no script in, and stays as it is.
	await page.evaluate(`${axe.source}; undefined`);
	const { violations } = await page.evaluate<Found>('axe.run(document, { resultTypes: ["violations"] })');
	const told = violations.map(({ id, impact, help, nodes }) => {
		const places = nodes.slice(0, 4).map(({ target, failureSummary }) => `    ${target.join(' ')}\n      ${failureSummary?.split('\n').slice(1, 3).join(' ') ?? ''}`);
		return { grave: impact !== 'minor', text: `${impact} ${id}: ${help}\n${places.join('\n')}` };
	});
	for (const { text } of told.filter(({ grave }) => !grave)) console.log(`${what}: ${text}`);
	expect(told.filter(({ grave }) => grave).map(({ text }) => text), `axe: ${what}`).toEqual([]);
}
