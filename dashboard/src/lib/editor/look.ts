/**
 * How the editor looks, in the dashboard's tokens. Drawings that CodeMirror brings as `data:` addresses are replaced: the
 * page's policy refuses those.
 */
import { EditorView } from '@codemirror/view';

const mark = (colour: string) => ({ backgroundImage: 'none', textDecoration: `underline wavy ${colour} 1px`, textUnderlineOffset: '3px' });
const sign = (text: string, colour: string) => ({
	content: 'normal',
	color: colour,
	fontFamily: 'var(--sans)',
	fontWeight: '700',
	lineHeight: '1.3',
	'&::before': { content: `"${text}"` }
});
const panelControl = {
	minHeight: '1.75rem',
	margin: '0',
	padding: '0 0.5rem',
	border: '1px solid var(--control-line)',
	borderRadius: 'var(--radius-s)',
	background: 'var(--surface)',
	color: 'var(--text)',
	font: 'var(--sm) var(--sans)'
};

export const look = EditorView.theme({
	'&': { height: '100%', background: 'var(--surface)', color: 'var(--text)', fontSize: 'var(--sm)' },
	'&.cm-focused': { outline: 'none' },
	'.cm-scroller': { fontFamily: 'var(--mono)', lineHeight: '1.6', overflow: 'auto' },
	'.cm-content': { padding: '0.6rem 0', caretColor: 'var(--text)' },
	'.cm-line': { padding: '0 0.8rem 0 0.4rem' },
	'.cm-cursor, .cm-dropCursor': { borderLeftColor: 'var(--text)', borderLeftWidth: '2px' },
	'&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground': {
		background: 'color-mix(in srgb, var(--info) 24%, transparent)'
	},
	'.cm-activeLine': { background: 'color-mix(in srgb, var(--hover) 55%, transparent)' },
	'.cm-gutters': { background: 'var(--surface)', color: 'var(--faint)', border: '0', borderRight: '1px solid var(--line)' },
	'.cm-activeLineGutter': { background: 'var(--hover)', color: 'var(--text)' },
	'.cm-lineNumbers .cm-gutterElement': { minWidth: '2rem', padding: '0 0.3rem 0 0.5rem' },
	'.cm-foldGutter .cm-gutterElement': { padding: '0 0.25rem', cursor: 'pointer' },
	'.cm-foldPlaceholder': { margin: '0 0.2rem', padding: '0 0.4rem', border: '1px solid var(--line)', background: 'var(--sunken)', color: 'var(--muted)' },
	'&.cm-focused .cm-matchingBracket, .cm-matchingBracket': { background: 'var(--accent-soft)', outline: '1px solid var(--accent)' },
	'&.cm-focused .cm-nonmatchingBracket': { background: 'var(--bad-soft)', color: 'var(--bad)' },
	'.cm-selectionMatch': { background: 'var(--mark)' },
	'.cm-searchMatch': { background: 'var(--mark)', outline: '1px solid var(--line-strong)' },
	'.cm-searchMatch-selected': { background: 'var(--accent-soft)', outline: '1px solid var(--accent)' },
	'.cm-placeholder': { color: 'var(--faint)' },

	'.cm-lintRange-error': mark('var(--bad)'),
	'.cm-lintRange-warning': mark('var(--warn)'),
	'.cm-lintRange-info, .cm-lintRange-hint': mark('var(--info)'),
	'.cm-lintRange-active': { background: 'var(--bad-soft)' },
	'.cm-gutter-lint': { width: '1.1rem' },
	'.cm-lint-marker': { width: '0.9rem', height: 'auto', padding: '0 0.15rem' },
	'.cm-lint-marker-error': sign('\u2715', 'var(--bad)'),
	'.cm-lint-marker-warning': sign('!', 'var(--warn)'),
	'.cm-lint-marker-info': sign('i', 'var(--info)'),
	'.cm-diagnostic': { padding: '0.35rem 0.6rem', fontFamily: 'var(--sans)', whiteSpace: 'pre-wrap' },
	'.cm-diagnostic-error': { borderLeft: '3px solid var(--bad)' },
	'.cm-diagnostic-warning': { borderLeft: '3px solid var(--warn)' },
	'.cm-diagnosticSource': { color: 'var(--muted)', fontSize: 'var(--xs)', opacity: '1' },

	'.cm-tooltip': {
		maxWidth: 'min(34rem, calc(100vw - 2rem))',
		border: '1px solid var(--line-strong)',
		borderRadius: 'var(--radius)',
		background: 'var(--raised)',
		color: 'var(--text)',
		boxShadow: 'var(--shadow-2)',
		overflow: 'hidden'
	},
	'.cm-tooltip.cm-completionInfo': { width: 'max-content', maxWidth: 'min(28rem, calc(100vw - 2rem))', padding: '0' },
	'.cm-tooltip.cm-tooltip-autocomplete > ul': { minWidth: '15rem', maxHeight: '16rem', fontFamily: 'var(--mono)', fontSize: 'var(--sm)' },
	'.cm-tooltip.cm-tooltip-autocomplete > ul > li': { padding: '0.2rem 0.6rem', lineHeight: '1.5' },
	'.cm-tooltip-autocomplete ul li[aria-selected]': { background: 'var(--accent-soft)', color: 'var(--text)' },
	'.cm-completionMatchedText': { color: 'var(--accent)', fontWeight: '600', textDecoration: 'none' },
	'.cm-completionDetail': { marginLeft: '0.6rem', color: 'var(--muted)', fontStyle: 'normal' },
	'.cm-completionIcon': { display: 'none' },

	'.about': { display: 'grid', gap: '0.4rem', padding: '0.6rem 0.75rem', font: 'var(--sm)/1.5 var(--sans)', maxHeight: '22rem', overflow: 'auto' },
	'.about p, .about pre, .about ul': { margin: '0', padding: '0' },
	'.about ul': { listStyle: 'none', color: 'var(--muted)', fontSize: 'var(--xs)' },
	'.about code, .about pre': { fontFamily: 'var(--mono)', fontSize: '0.92em' },
	'.about p code, .about li code': { color: 'var(--code-name)' },
	'.about .title': { color: 'var(--code-call)', fontWeight: '600', whiteSpace: 'pre-wrap' },
	'.about .example': { padding: '0.4rem 0.5rem', borderRadius: 'var(--radius-s)', background: 'var(--sunken)', overflow: 'auto', fontSize: 'var(--xs)' },

	'.cm-panels': { background: 'var(--sunken)', color: 'var(--text)' },
	'.cm-panels-top': { borderBottom: '1px solid var(--line)' },
	'.cm-panels-bottom': { borderTop: '1px solid var(--line)' },
	'.cm-panel.cm-search': { display: 'flex', flexWrap: 'wrap', alignItems: 'center', gap: '0.35rem', padding: '0.5rem 2.2rem 0.5rem 0.6rem', font: 'var(--sm) var(--sans)' },
	'.cm-panel.cm-search br': { display: 'none' },
	'.cm-panel.cm-search label': { display: 'inline-flex', alignItems: 'center', gap: '0.25rem', fontSize: 'var(--sm)' },
	'.cm-textfield': panelControl,
	'.cm-button': { ...panelControl, backgroundImage: 'none', cursor: 'pointer' },
	'.cm-button:hover': { background: 'var(--hover)', backgroundImage: 'none' },
	'.cm-panel.cm-search [name=close]': { top: '0.4rem', right: '0.6rem', color: 'var(--text)', fontSize: '1.1rem', cursor: 'pointer' },
	'button:focus-visible, input:focus-visible': { outline: '2px solid var(--accent)', outlineOffset: '1px' }
});
