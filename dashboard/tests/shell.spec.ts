import { accessible } from './support/axe';
import { expect, nobody, open, test } from './support/fixtures';

test('the palette leads to pages, apps and scripts by a few letters', async ({ page }) => {
	await open(page, '/');
	await page.keyboard.press('Control+k');
	const palette = page.getByRole('dialog', { name: 'Command palette' });
	const entry = palette.getByRole('combobox');
	await expect(entry).toBeFocused();
	await entry.fill('the sh');
	await expect(palette.getByRole('option', { name: /The shop/ }).first()).toHaveAttribute('aria-selected', 'true');
	await accessible(page, 'the palette');
	await page.keyboard.press('Enter');
	await expect(page).toHaveURL(/\/apps\/shop$/);
	await expect(palette).toHaveCount(0);

	await page.keyboard.press('/');
	await entry.fill('dead');
	await page.keyboard.press('Enter');
	await expect(page).toHaveURL(/\/apps\/shop\/dead-letters$/);
	await page.keyboard.press('Control+k');
	await entry.fill('bill');
	await expect(palette.getByRole('option', { name: /bill/ }).first()).toBeVisible();
	await page.keyboard.press('Escape');
	await expect(palette).toHaveCount(0);
});

test('the theme is chosen, kept, and there before the page is drawn', async ({ page }) => {
	await open(page, '/');
	await page.getByRole('button', { name: 'Theme' }).click();
	await page.getByRole('menuitemradio', { name: 'Dark' }).click();
	const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
	const dark = await ground();
	await page.addInitScript(() => {
		new MutationObserver(() => {
			const chosen = (document.documentElement as HTMLElement | null)?.dataset;
			if (chosen?.['theme']) chosen['seen'] ??= String(document.body === null);
		}).observe(document, { attributes: true, subtree: true });
	});
	await page.reload();
	await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
	expect(await ground()).toBe(dark);
	// Set while there was no body yet: nothing was shown in the other theme.
	expect(await page.evaluate(() => document.documentElement.dataset['seen'])).toBe('true');
	await page.getByRole('button', { name: 'Theme' }).click();
	await page.getByRole('menuitemradio', { name: 'Light' }).click();
	expect(await ground()).not.toBe(dark);
});

test('keys: help, the way past the bar, and a letter for what a page offers', async ({ page }) => {
	await open(page, '/me/keys');
	await page.keyboard.press('Tab');
	await expect(page.getByRole('link', { name: 'Skip to content' })).toBeFocused();
	await page.keyboard.press('Enter');
	await expect(page.locator('#content')).toBeFocused();
	await page.keyboard.press('?');
	await expect(page.getByRole('dialog', { name: 'Keyboard' })).toContainText('New API key');
	await page.keyboard.press('Escape');
	await page.keyboard.press('n');
	await expect(page.getByRole('dialog', { name: 'New API key' }).getByLabel('Name')).toBeFocused();
});

test.describe('without a login', () => {
	test.use({ ...nobody, refusals: [401] });

	test('every page leads to the login and back', async ({ page }) => {
		await page.goto('/apps/shop/routes');
		await expect(page.getByRole('heading', { name: 'Log in to PiCloud' })).toBeVisible();
		await accessible(page, 'login');
		await page.getByLabel('Username').fill('admin');
		await page.getByLabel('Password').fill('correct horse battery staple');
		await page.getByLabel('Password').press('Enter');
		await expect(page).toHaveURL(/\/apps\/shop\/routes$/);
		await page.getByRole('button', { name: /admin/ }).click();
		await page.getByRole('menuitem', { name: 'Log out' }).click();
		await expect(page.getByRole('heading', { name: 'Log in to PiCloud' })).toBeVisible();
	});
});

test('what the server says of itself: a policy without holes, and nothing that is kept in the browser', async ({ page, request }) => {
	const answer = await request.get('/');
	const header = answer.headers()['content-security-policy'] ?? '';
	const meta = /http-equiv="content-security-policy" content="([^"]+)"/i.exec(await answer.text())?.[1] ?? '';
	expect(`${header}; ${meta}`).toContain("default-src 'self'");
	expect(`${header}; ${meta}`).not.toMatch(/unsafe-inline|unsafe-eval|https?:|\*/);
	if (process.env['PICLOUD_PAGES'] !== 'preview') expect(header).toContain("frame-ancestors 'none'");
	await open(page, '/apps/shop');
	const kept = await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }));
	expect(kept).not.toMatch(/pics?_[0-9a-f]{16}/);
	expect(await page.evaluate(() => document.cookie)).toBe('');
});
