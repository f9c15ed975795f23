import type { Reporter, TestCase, TestResult } from '@playwright/test/reporter';

/** The last line of a run, in the words of every other runner here. */
export default class Tally implements Reporter {
	#passed = 0;
	#failed = 0;

	onTestEnd(test: TestCase, result: TestResult): void {
		if (result.status === 'skipped') return;
		if (test.outcome() === 'unexpected') this.#failed += 1;
		else this.#passed += 1;
	}

	onEnd(): void {
		console.log(`\npages: ${this.#passed} passed, ${this.#failed} failed`);
	}

	printsToStdio(): boolean {
		return false;
	}
}
