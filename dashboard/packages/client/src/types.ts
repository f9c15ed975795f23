import type { Params, Query } from './address.js';

/** As `fetch` takes them. By way of `RequestInit`, which Node's types have as well as a browser's. */
export type SentHeaders = NonNullable<RequestInit['headers']>;
export type SentBody = NonNullable<RequestInit['body']>;
export type Credentials = NonNullable<RequestInit['credentials']>;

/** A bearer token, or what gives one. */
export type Token = string | (() => string | Promise<string>);

/** One route of an app, as TypeScript knows it. */
export interface Route {
	/** The body that it takes; left out: none. */
	request?: unknown;
	/** The body that it answers. */
	response: unknown;
	query?: Query;
}

/** Routes of an app by method and path: `{ 'POST /orders/:id': { request: NewOrder; response: Order } }`. */
export type Routes<R> = { [K in keyof R]: Route };

type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'OPTIONS';

export interface CommonOptions {
	headers?: SentHeaders | undefined;
	signal?: AbortSignal | undefined;
	/** For the call, all its tries and its whole answer. */
	timeoutMs?: number | undefined;
	/** How often it is tried again when it is refused for now (429, 503) and a second time does no harm. */
	retries?: number | undefined;
	/** Says that the script does once what is asked twice with the same key: the call may be tried again whatever its method. */
	idempotencyKey?: string | undefined;
}

export interface CallOptions<Req = unknown> extends CommonOptions {
	/** Left out: GET, and POST with a body. */
	method?: Method | undefined;
	params?: Params | undefined;
	query?: Query | undefined;
	/** Strings, blobs, bytes, forms and parameters go as they are; anything else as JSON. */
	body?: Req | undefined;
}

/** An answer with what stands around its body. */
export interface Answer<Res> {
	data: Res;
	status: number;
	headers: Headers;
	executionId: string | undefined;
	requestId: string | undefined;
}

/** Names of the parameters in a path. */
export type ParamOf<Path> = Path extends `${infer Head}/${infer Tail}`
	? ParamOf<Head> | ParamOf<Tail>
	: Path extends `:${infer Name}`
		? Name
		: Path extends '*'
			? '*'
			: never;

type OfPath<Path> = [ParamOf<Path>] extends [never] ? { params?: undefined } : { params: Record<ParamOf<Path>, string | number> };
type OfBody<R> = R extends { request: infer Req } ? { body: Req } : { body?: undefined };
type OfQuery<R> = R extends { query: infer Q } ? ({} extends Q ? { query?: Q } : { query: Q }) : { query?: undefined };
/** The key says the method, or the caller does. */
type OfMethod<Key> = Key extends `${Method} ${string}` ? { method?: undefined } : { method?: Method };

export type RouteOptions<Key, R> = CommonOptions & OfPath<Key> & OfBody<R> & OfQuery<R> & OfMethod<Key>;
type Optional<O> = {} extends O ? [options?: O] : [options: O];
type ResponseOf<R> = R extends { response: infer Res } ? Res : never;

/** A call by a path, whose types the caller says. */
export type FreeCall = <Req = unknown, Res = unknown>(path: string, options?: CallOptions<Req>) => Promise<Res>;
export type FreeAnswer = <Req = unknown, Res = unknown>(path: string, options?: CallOptions<Req>) => Promise<Answer<Res>>;
/** A call by a route of the map, whose types are the map's. */
export type RouteCall<R> = <K extends keyof R & string>(route: K, ...options: Optional<RouteOptions<K, R[K]>>) => Promise<ResponseOf<R[K]>>;
export type RouteAnswer<R> = <K extends keyof R & string>(
	route: K,
	...options: Optional<RouteOptions<K, R[K]>>
) => Promise<Answer<ResponseOf<R[K]>>>;
