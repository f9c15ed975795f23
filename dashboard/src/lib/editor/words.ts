/**
 * What the interpreter brings by itself and the reference of the platform does not tell again: the functions of Rhai's
 * packages that scripts use most, each in a few words.
 */
export const GLOBAL: readonly (readonly [string, string, string])[] = [
	['print', '(value)', 'Writes a line into the execution\u2019s log.'],
	['debug', '(value)', 'Writes a line into the log, with its place, at the level `debug`.'],
	['type_of', '(value)', 'The name of its type: `"string"`, `"i64"`, `"map"`.'],
	['parse_int', '(text)', 'The integer that the text is; throws if it is none.'],
	['parse_float', '(text)', 'The number that the text is; throws if it is none.'],
	['to_string', '(value)', 'The value as text.'],
	['blob', '(len, byte)', 'Bytes: so many of one value.'],
	['min', '(a, b)', 'The lesser.'],
	['max', '(a, b)', 'The greater.']
];

export const METHODS: readonly (readonly [string, string, string])[] = [
	['len', '()', 'How many characters, items or bytes.'],
	['push', '(item)', 'Array: puts an item at the end.'],
	['pop', '()', 'Array: takes the last item out.'],
	['shift', '()', 'Array: takes the first item out.'],
	['insert', '(at, item)', 'Array: puts an item at a place.'],
	['remove', '(at)', 'Array: takes the item at a place out. Map: the value of a key.'],
	['contains', '(value)', 'Whether it is in there. For maps: whether the key is.'],
	['index_of', '(value)', 'Where it is, or -1.'],
	['map', '(|item| \u2026)', 'Array: what the function makes of each item.'],
	['filter', '(|item| \u2026)', 'Array: the items of which the function says true.'],
	['find', '(|item| \u2026)', 'Array: the first item of which the function says true, or `()`.'],
	['some', '(|item| \u2026)', 'Array: whether the function says true of one.'],
	['all', '(|item| \u2026)', 'Array: whether the function says true of all.'],
	['reduce', '(|sum, item| \u2026, initial)', 'Array: one value out of all items.'],
	['for_each', '(|| \u2026)', 'Array: calls the function with each item as `this`.'],
	['sort', '()', 'Array: puts the items in order.'],
	['reverse', '()', 'Array: turns the order around.'],
	['extract', '(start, len)', 'Array: some of the items.'],
	['keys', '()', 'Map: its keys.'],
	['values', '()', 'Map: its values.'],
	['mixin', '(other)', 'Map: takes over all of another one.'],
	['split', '(separator)', 'Text: its parts, as an array.'],
	['trim', '()', 'Text: takes blanks from both ends, in place.'],
	['to_upper', '()', 'Text in capital letters.'],
	['to_lower', '()', 'Text in small letters.'],
	['starts_with', '(text)', 'Text: whether it begins so.'],
	['ends_with', '(text)', 'Text: whether it ends so.'],
	['replace', '(find, with)', 'Text: puts something in the place of all of something, in place.'],
	['sub_string', '(start, len)', 'Text: a part of it.'],
	['as_string', '()', 'Blob: its bytes as text.'],
	['to_blob', '()', 'Text: its bytes.'],
	['is_empty', '()', 'Whether nothing is in there.'],
	['to_float', '()', 'Integer: the same as a float.'],
	['to_int', '()', 'Float: the whole part.'],
	['call', '(\u2026)', 'Function pointer: calls it.']
];

export const KEYWORDS = (
	'let const if else switch do while until loop for in continue break return throw try catch fn private import ' +
	'export as true false this'
).split(' ');
