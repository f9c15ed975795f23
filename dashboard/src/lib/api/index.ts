/** `import { api, client, type App } from '$lib/api'`. */
export { api, client, href, onUnauthenticated, type Client, type Fetch } from './client';
export { ApiError, asFailure, isAborted } from './error';
export { follow, type Followed, type FollowState } from './follow';
export { address, search, segment } from './path';
export { upload } from './upload';
export type { Answer, Bytes, Page } from './types';
export type * from './schema';
