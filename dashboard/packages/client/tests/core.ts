export { calls } from './core.calls.js';
export { subscriptions } from './core.subscriptions.js';
