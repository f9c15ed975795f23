import { expect, type Page } from '@playwright/test';

/** Puts a source in place of what the editor of a script has, as pasting does: no brackets are added to it. */
export async function write(page: Page, script: string, source: string): Promise<void> {
	const entry = page.getByRole('textbox', { name: `Source of ${script}` });
	await expect(entry).toBeVisible();
	await entry.focus();
	await page.keyboard.press('Control+a');
	await page.keyboard.insertText(source);
}

/** Publishes by the key that editors have for it. */
export async function publish(page: Page, version: number): Promise<void> {
	await page.keyboard.press('Control+s');
	await expect(page.getByText(`Version ${version} is active.`)).toBeVisible();
}

/** A new script by the dialog, from the page of scripts; ends in its editor. */
export async function create(page: Page, name: string, source: string): Promise<void> {
	await page.getByRole('button', { name: 'New script' }).first().click();
	const dialog = page.getByRole('dialog', { name: 'New script' });
	await dialog.getByLabel('Name').fill(name);
	await dialog.getByRole('button', { name: 'Create script' }).click();
	await write(page, name, source);
}
