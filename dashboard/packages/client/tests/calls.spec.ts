/** Calls to a real node. */
import { calls } from './live.calls.js';
import { live } from './support/live.js';

live('live.ts', 'calls', calls);
