/** Calls to the scripts of a PiCloud app, and subscriptions to its topics. See the README beside this package. */
export { createClient, type Client, type ClientOptions } from './client.js';
export { PiCloudError } from './error.js';
export type { Clock } from './clock.js';
export type {
	Gap,
	Message,
	StateDetail,
	SubscribeOptions,
	Subscription,
	SubscriptionState
} from './subscription.js';
export type { Params, Query, Value } from './address.js';
export type { RawBody } from './body.js';
export type { Answer, CallOptions, CommonOptions, Route, Token } from './types.js';
export * as limits from './limits.js';
