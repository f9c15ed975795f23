import { expect, nobody, test } from './support/fixtures';

test.describe('by keyboard alone', () => {
	test.use({ ...nobody, refusals: [401] });
	test.setTimeout(90_000);

	test('from the login to a published script', async ({ page }) => {
		const keys = page.keyboard;
		const command = async (words: string) => {
			await keys.press('Control+k');
			await expect(page.getByRole('combobox')).toBeFocused();
			await keys.type(words);
			await expect(page.getByRole('option').first()).toBeVisible();
			await keys.press('Enter');
		};
		await page.goto('/');
		await expect(page.getByLabel('Username')).toBeFocused();
		await keys.type('admin');
		await keys.press('Tab');
		await keys.type('correct horse battery staple');
		await keys.press('Enter');
		await expect(page.getByRole('heading', { level: 1, name: 'Apps' })).toBeVisible();

		await keys.press('n');
		await expect(page.getByRole('dialog', { name: 'New app' }).getByLabel('Name')).toBeFocused();
		await keys.type('Keys');
		await keys.press('Enter');
		await expect(page).toHaveURL(/\/apps\/keys$/);

		await command('scripts');
		await expect(page.getByRole('heading', { level: 1, name: 'Scripts' })).toBeVisible();
		await keys.press('n');
		await expect(page.getByRole('dialog', { name: 'New script' }).getByLabel('Name')).toBeFocused();
		await keys.press('Control+a');
		await keys.type('typed');
		await keys.press('Enter');
		const editor = page.getByRole('textbox', { name: 'Source of typed' });
		await expect(editor).toBeVisible();

		// Tab leads into the editor, from wherever the page begins.
		for (let presses = 0; presses < 80; presses += 1) {
			if (await editor.evaluate((element) => element.getRootNode() instanceof ShadowRoot ? (element.getRootNode() as ShadowRoot).activeElement === element : document.activeElement === element)) break;
			await keys.press('Tab');
		}
		await keys.press('Control+a');
		await keys.type('let answer = 42');
		await keys.type(';\nanswer');
		await expect(page.getByText('no mistakes found')).toBeVisible();
		await keys.press('Control+s');
		await expect(page.getByText('Version 2 is active.')).toBeVisible();

		// And out of it again; the first closes the completions that may be open.
		await keys.press('Escape');
		await keys.press('Escape');
		await keys.press('Tab');
		await expect(editor).not.toBeFocused();
	});
});
