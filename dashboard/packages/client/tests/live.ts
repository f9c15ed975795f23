export { createClient } from '../src/index.js';
export { calls } from './live.calls.js';
export { subscriptions } from './live.subscriptions.js';
