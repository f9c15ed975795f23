/** The editor itself. Everything heavy comes in with this file, which only the script page loads, and later than itself. */
import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap, type Completion as Offered, type CompletionContext, type CompletionResult } from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap, indentWithTab } from '@codemirror/commands';
import { foldKeymap, indentOnInput } from '@codemirror/language';
import { lintGutter, lintKeymap, setDiagnostics, type Diagnostic } from '@codemirror/lint';
import { highlightSelectionMatches, search, searchKeymap } from '@codemirror/search';
import { EditorSelection, EditorState } from '@codemirror/state';
import { drawSelection, dropCursor, EditorView, highlightActiveLine, highlightActiveLineGutter, highlightSpecialChars, hoverTooltip, keymap, lineNumbers, rectangularSelection } from '@codemirror/view';
import { complete, explain, type Doc, type Option, type Surroundings } from './assist';
import { format } from './format';
import { rhai } from './language';
import { look } from './look';
import { placeOf, type Mark } from './marks';
import { replacing } from './replacing';

export interface Options {
	label: string;
	source: string;
	surroundings: () => Surroundings;
	changed: (source: string) => void;
}

const TYPES: Record<Option['kind'], string> = {
	function: 'function', method: 'method', module: 'namespace', keyword: 'keyword', variable: 'variable', constant: 'constant', property: 'property', text: 'text'
};

/**
 * Inside a shadow root: there CodeMirror adopts its style sheet, which the page's policy allows, where in the document it
 * would write a `<style>`, which the policy refuses.
 */
export function mount(host: HTMLElement, options: Options): EditorView {
	const root = host.shadowRoot ?? host.attachShadow({ mode: 'open' });
	const offered = ({ state, pos, explicit }: CompletionContext): CompletionResult | null => {
		const found = complete(state.doc.toString(), pos, options.surroundings());
		if (found === null || (!explicit && found.from === pos && !/[.:"]/.test(state.sliceDoc(pos - 1, pos)))) return null;
		return { from: found.from, options: found.options.map(offer), validFor: /^\w*$/ };
	};
	const told = hoverTooltip((view, pos) => {
		const found = explain(view.state.doc.toString(), pos, options.surroundings());
		if (found === null) return null;
		return { pos: found.from, end: found.to, above: true, create: () => ({ dom: about(found.doc) }) };
	});
	return new EditorView({
		parent: root,
		root,
		state: EditorState.create({
			doc: options.source,
			extensions: [
				lintGutter(), lineNumbers(), highlightActiveLineGutter(), highlightSpecialChars(), history(), drawSelection(), dropCursor(),
				EditorState.allowMultipleSelections.of(true), EditorState.tabSize.of(4), rectangularSelection(), indentOnInput(), rhai(),
				closeBrackets(), replacing, autocompletion({ override: [offered], icons: false }), told, highlightActiveLine(), highlightSelectionMatches(),
				search({ top: true }), look,
				keymap.of([
					{ key: 'Shift-Alt-f', run: tidy },
					...closeBracketsKeymap, ...defaultKeymap, ...searchKeymap, ...historyKeymap, ...foldKeymap, ...completionKeymap, ...lintKeymap, indentWithTab
				]),
				EditorView.contentAttributes.of({ 'aria-label': options.label, tabindex: '0', spellcheck: 'false', autocapitalize: 'off', autocorrect: 'off' }),
				EditorView.updateListener.of((update) => {
					if (update.docChanged) options.changed(update.state.doc.toString());
				})
			]
		})
	});
}

function offer({ label, kind, detail, doc, apply, rank }: Option): Offered {
	return {
		label,
		type: TYPES[kind],
		...(detail === undefined ? {} : { detail }),
		...(apply === undefined ? {} : { apply: applied(apply) }),
		...(rank === undefined ? {} : { boost: rank }),
		...(doc === undefined || (doc.text === '' && doc.bounds.length === 0) ? {} : { info: () => about(doc) })
	};
}

/** Writes a name; of a function also its parentheses, and the cursor stands between them. */
function applied(text: string) {
	return (view: EditorView, _: Offered, from: number, to: number) => {
		const call = text.endsWith('(');
		const there = view.state.sliceDoc(to, to + 1) === '(';
		const insert = call && there ? text.slice(0, -1) : call ? `${text})` : text;
		view.dispatch({
			changes: { from, to, insert },
			selection: { anchor: from + (call && there ? insert.length + 1 : text.length) },
			userEvent: 'input.complete'
		});
	};
}

/** The reference's words as elements: nothing of them is read as markup. */
export function about(doc: Doc): HTMLElement {
	const box = document.createElement('div');
	box.className = 'about';
	const add = (parent: HTMLElement, name: 'p' | 'li' | 'pre' | 'ul', text: string, style = '') => {
		const element = document.createElement(name);
		if (style !== '') element.className = style;
		text.split('`').forEach((part, index) => {
			if (index % 2 === 0 || name === 'pre') return element.append(name === 'pre' && index > 0 ? `\`${part}` : part);
			const code = document.createElement('code');
			code.append(part);
			element.append(code);
		});
		parent.append(element);
		return element;
	};
	for (const title of doc.titles) add(box, 'pre', title, 'title');
	if (doc.text !== '') add(box, 'p', doc.text);
	if (doc.bounds.length > 0) {
		const list = add(box, 'ul', '');
		for (const bound of doc.bounds) add(list, 'li', bound);
	}
	if (doc.example !== undefined) add(box, 'pre', doc.example, 'example');
	return box;
}

/** Lines that are wrong, in the text and beside it. */
export function show(view: EditorView, marks: readonly Mark[]): void {
	const source = view.state.doc.toString();
	const diagnostics = marks.flatMap((mark): Diagnostic[] => {
		const place = placeOf(source, mark);
		return place === null ? [] : [{ ...place, severity: mark.severity, message: mark.message, ...(mark.origin === undefined ? {} : { source: mark.origin }) }];
	});
	view.dispatch(setDiagnostics(view.state, diagnostics));
}

/** Goes to a place and shows it in the middle. */
export function reveal(view: EditorView, mark: { line: number; column?: number | null | undefined }): void {
	const place = placeOf(view.state.doc.toString(), mark);
	if (place === null) return;
	view.dispatch({ selection: EditorSelection.cursor(place.from), effects: EditorView.scrollIntoView(place.from, { y: 'center' }) });
	view.focus();
}

/** Another text in the place of the one there, as one step that can be undone; only what differs is written. */
export function replace(view: EditorView, source: string): void {
	const old = view.state.doc.toString();
	if (old === source) return;
	let from = 0;
	while (from < old.length && from < source.length && old[from] === source[from]) from += 1;
	let tail = 0;
	while (tail < old.length - from && tail < source.length - from && old.at(-1 - tail) === source.at(-1 - tail)) tail += 1;
	view.dispatch({ changes: { from, to: old.length - tail, insert: source.slice(from, source.length - tail) }, userEvent: 'input.format' });
}

/** Formats the text; the cursor stays in its line. */
export function tidy(view: EditorView): boolean {
	const { doc, selection } = view.state;
	const line = doc.lineAt(selection.main.head);
	const column = selection.main.head - line.from - (/^\s*/.exec(line.text)?.[0].length ?? 0);
	const written = (text: string) => text.split('\n').filter((one) => one.trim() !== '').length;
	const nth = written(doc.sliceString(0, line.to));
	replace(view, format(doc.toString()));
	let count = 0;
	for (let number = 1; number <= view.state.doc.lines; number += 1) {
		const now = view.state.doc.line(number);
		if (now.text.trim() !== '') count += 1;
		if (count < nth) continue;
		const indent = /^\s*/.exec(now.text)?.[0].length ?? 0;
		const head = Math.min(now.to, now.from + indent + Math.max(0, column));
		view.dispatch({ selection: EditorSelection.cursor(head), scrollIntoView: true });
		break;
	}
	return true;
}
