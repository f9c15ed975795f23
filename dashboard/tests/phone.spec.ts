import type { Page } from '@playwright/test';
import { appNav, instanceNav, meNav } from '../src/lib/shell/nav';
import { accessible } from './support/axe';
import { expect, open, settled, test } from './support/fixtures';
import { shop } from './support/run';

test.use({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });

/** Nothing reaches past the edge: what is wide scrolls in a region of its own. */
async function fits(page: Page): Promise<void> {
	const { wide, width } = await page.evaluate(() => ({ wide: document.documentElement.scrollWidth, width: document.documentElement.clientWidth }));
	expect(wide, `${page.url()} at ${width}`).toBeLessThanOrEqual(width);
}

test('the pages of an app are in a drawer', async ({ page }) => {
	await open(page, '/apps/shop');
	await expect(page.getByRole('navigation', { name: 'App' })).toBeHidden();
	await page.getByRole('button', { name: 'Pages of this app' }).tap();
	const drawer = page.getByRole('dialog', { name: 'Pages of The shop' });
	await expect(drawer).toBeVisible();
	await accessible(page, 'the drawer');
	await drawer.getByRole('link', { name: 'Triggers' }).tap();
	await expect(page).toHaveURL(/\/apps\/shop\/triggers$/);
	await expect(drawer).toBeHidden();
	await settled(page);
	await page.getByRole('button', { name: 'Pages of this app' }).tap();
	await page.keyboard.press('Escape');
	await expect(drawer).toBeHidden();
});

test('no page is wider than the phone, nor than the smallest one', async ({ page }) => {
	test.setTimeout(180_000);
	const script = `/apps/shop/scripts/${shop().scripts.orders}`;
	const pages = [
		'/',
		...meNav.map(({ href }) => href),
		...instanceNav.map(({ href }) => href),
		...appNav.flatMap(({ items }) => items).map(({ path }) => `/apps/shop/${path}`),
		...['', '/test', '/versions', '/executions', '/settings'].map((tab) => script + tab)
	];
	for (const path of pages) {
		await page.setViewportSize({ width: 390, height: 844 });
		await open(page, path);
		await fits(page);
		await page.setViewportSize({ width: 320, height: 640 });
		await fits(page);
	}
});

test('a table is read as cards, with names beside the values', async ({ page }) => {
	await open(page, '/instance/users');
	const row = page.getByRole('row', { name: /ada@example.com/ });
	const state = row.locator('td[data-title="State"]');
	await expect(state).toContainText('active');
	expect(await state.evaluate((cell) => getComputedStyle(cell, '::before').content)).toContain('State');
});
