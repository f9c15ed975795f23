//! Values drawn from an input. Drawing never fails: a spent input gives zeros, first choices and empty texts.

use arbitrary::Unstructured;

pub(crate) struct Draw<'a>(Unstructured<'a>);

impl<'a> Draw<'a> {
    pub(crate) fn new(data: &'a [u8]) -> Self {
        Self(Unstructured::new(data))
    }

    pub(crate) fn is_spent(&self) -> bool {
        self.0.is_empty()
    }

    /// A number from 0 on, less than `count`.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        self.0.int_in_range(0..=count.saturating_sub(1)).unwrap_or(0)
    }

    pub(crate) fn flag(&mut self) -> bool {
        self.below(2) == 1
    }

    pub(crate) fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    pub(crate) fn u16(&mut self) -> u16 {
        self.0.arbitrary().unwrap_or(0)
    }

    pub(crate) fn u32(&mut self) -> u32 {
        self.0.arbitrary().unwrap_or(0)
    }

    pub(crate) fn i64(&mut self) -> i64 {
        self.0.arbitrary().unwrap_or(0)
    }

    pub(crate) fn option<T>(&mut self, some: impl FnOnce(&mut Self) -> T) -> Option<T> {
        if self.flag() { Some(some(self)) } else { None }
    }

    pub(crate) fn list<T>(&mut self, most: usize, mut item: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let count = self.below(most + 1);
        (0..count).map(|_| item(self)).collect()
    }

    pub(crate) fn bytes(&mut self, most: usize) -> &'a [u8] {
        let count = self.below(most + 1).min(self.0.len());
        self.0.bytes(count).unwrap_or_default()
    }

    /// What is left of the input.
    pub(crate) fn rest(self) -> &'a [u8] {
        self.0.take_rest()
    }

    /// Any text of up to so many bytes of the input.
    pub(crate) fn raw_text(&mut self, most: usize) -> String {
        String::from_utf8_lossy(self.bytes(most)).into_owned()
    }

    /// Any text: of the input, one that somebody would try, or one about as long as is allowed.
    pub(crate) fn text(&mut self, bytes_max: usize) -> String {
        match self.below(4) {
            0 | 1 => self.raw_text(64),
            2 => self.one_of(&HOSTILE).to_owned(),
            _ => {
                let piece = self.one_of(&["a", "é", "\u{10ffff}", " ", "\u{1}"]);
                let count = (bytes_max / piece.len() + self.below(3)).saturating_sub(1);
                piece.repeat(count)
            }
        }
    }
}

const HOSTILE: [&str; 16] = [
    "",
    "\0",
    "\r\n",
    "a\r\nx-injected: 1",
    "a\nb",
    "a\rb",
    "\r\n\r\n.\r\n",
    "é",
    "\u{85}",
    "\u{202e}",
    "\u{2028}",
    "\u{7f}",
    "'; DROP TABLE documents; --",
    "../../x",
    "=?utf-8?b?DQo=?=",
    "\u{10ffff}",
];
