import { EditorView } from '@codemirror/view';

/**
 * Typing over a selection of coloured text. Chromium, left to itself, keeps the colour in a style attribute, which the
 * page's policy refuses and reports; so the text is put in here, past whoever has a say in what is typed (brackets).
 */
export const replacing = EditorView.domEventHandlers({
	beforeinput(event, view) {
		const text = event.data;
		if (event.inputType !== 'insertText' || text === null || view.composing || view.state.readOnly) return false;
		const { main, ranges } = view.state.selection;
		if (ranges.every(({ empty }) => empty)) return false;
		const put = () => view.state.update(view.state.replaceSelection(text), { userEvent: 'input.type', scrollIntoView: true });
		const taken = view.state.facet(EditorView.inputHandler).some((handle) => handle(view, main.from, main.to, text, put));
		if (!taken) view.dispatch(put());
		return true;
	}
});
