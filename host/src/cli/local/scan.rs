//! Which functions of a source are tests. It reads what has to be told apart from them (strings, characters, comments) and
//! nothing else of the language: whether the source is right is for the sandbox to say.

use std::iter::Peekable;
use std::str::Chars;

/// What the name of a test begins with.
const PREFIX: &str = "test_";

/// Names of functions of the top level that begin so and take nothing, in order, each once.
pub(super) fn tests(source: &str) -> Vec<String> {
    let mut scanner = Scanner { rest: source.chars().peekable(), modes: vec![Mode::Code { depth: 0 }], found: Vec::new() };
    while scanner.step().is_some() {}
    let mut names = Vec::new();
    for name in scanner.found {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// What the scanner is in.
enum Mode {
    /// Code, in so many braces.
    Code { depth: usize },
    /// Text in backticks.
    Template,
}

struct Scanner<'s> {
    rest: Peekable<Chars<'s>>,
    /// From the source down to the innermost `${…}`.
    modes: Vec<Mode>,
    found: Vec<String>,
}

impl Scanner<'_> {
    /// Reads on by a token or a character; none at the end.
    fn step(&mut self) -> Option<()> {
        if let Some(Mode::Template) = self.modes.last() {
            return self.template();
        }
        self.blank();
        let c = self.rest.next()?;
        match c {
            '"' => self.string('"'),
            '\'' => self.character(),
            '#' => self.raw(),
            '`' => self.modes.push(Mode::Template),
            '{' => self.deeper(),
            '}' => self.shallower(),
            c if c.is_alphabetic() || c == '_' => {
                let word = self.word(c);
                if word == "fn" && self.is_top() {
                    self.function();
                }
            }
            _ => {}
        }
        Some(())
    }

    /// One character of a text in backticks. Two backticks are one of the text.
    fn template(&mut self) -> Option<()> {
        match self.rest.next()? {
            '`' if self.rest.next_if_eq(&'`').is_none() => drop(self.modes.pop()),
            '$' if self.rest.next_if_eq(&'{').is_some() => self.modes.push(Mode::Code { depth: 0 }),
            _ => {}
        }
        Some(())
    }

    /// The name behind `fn`, where it is that of a test.
    fn function(&mut self) {
        self.blank();
        let Some(first) = self.rest.next_if(|c| c.is_alphabetic() || *c == '_') else { return };
        let name = self.word(first);
        self.blank();
        if self.rest.next_if_eq(&'(').is_none() {
            return;
        }
        self.blank();
        if self.rest.next_if_eq(&')').is_some() && name.starts_with(PREFIX) {
            self.found.push(name);
        }
    }

    /// Blanks and comments; those of blocks are nested.
    fn blank(&mut self) {
        loop {
            while self.rest.next_if(|c| c.is_whitespace()).is_some() {}
            let mut ahead = self.rest.clone();
            match (ahead.next(), ahead.next()) {
                (Some('/'), Some('/')) => while self.rest.next_if(|c| *c != '\n').is_some() {},
                (Some('/'), Some('*')) => self.block(),
                _ => return,
            }
        }
    }

    fn block(&mut self) {
        let (mut depth, mut before) = (0_usize, ' ');
        for c in self.rest.by_ref() {
            // What was part of one mark is no part of the next.
            before = match (before, c) {
                ('/', '*') => {
                    depth += 1;
                    ' '
                }
                ('*', '/') => {
                    depth = depth.saturating_sub(1);
                    ' '
                }
                (_, c) => c,
            };
            if depth == 0 && c == '/' && before == ' ' {
                return;
            }
        }
    }

    /// Up to the closing quote; two quotes are one of the text.
    fn string(&mut self, quote: char) {
        while let Some(c) = self.rest.next() {
            match c {
                '\\' => drop(self.rest.next()),
                c if c == quote && self.rest.next_if_eq(&quote).is_none() => return,
                _ => {}
            }
        }
    }

    fn character(&mut self) {
        if self.rest.next() == Some('\\') {
            self.rest.next();
        }
        for c in self.rest.by_ref() {
            if c == '\'' || c == '\n' {
                return;
            }
        }
    }

    /// `#"…"#`, with as many hashes as one likes; a map begins with one, too.
    fn raw(&mut self) {
        let mut hashes = 1;
        while self.rest.next_if_eq(&'#').is_some() {
            hashes += 1;
        }
        if self.rest.next_if_eq(&'"').is_none() {
            return;
        }
        while let Some(c) = self.rest.next() {
            if c != '"' {
                continue;
            }
            let mut closing = 0;
            while closing < hashes && self.rest.next_if_eq(&'#').is_some() {
                closing += 1;
            }
            if closing == hashes {
                return;
            }
        }
    }

    fn word(&mut self, first: char) -> String {
        let mut word = String::from(first);
        while let Some(c) = self.rest.next_if(|c| c.is_alphanumeric() || *c == '_') {
            word.push(c);
        }
        word
    }

    fn is_top(&self) -> bool {
        matches!(self.modes.as_slice(), [Mode::Code { depth: 0 }])
    }

    fn deeper(&mut self) {
        if let Some(Mode::Code { depth }) = self.modes.last_mut() {
            *depth += 1;
        }
    }

    /// Out of a block, or out of a `${…}`.
    fn shallower(&mut self) {
        let is_inside = self.modes.len() > 1;
        match self.modes.last_mut() {
            Some(Mode::Code { depth: 0 }) if is_inside => drop(self.modes.pop()),
            Some(Mode::Code { depth }) => *depth = depth.saturating_sub(1),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::tests as found;

    #[test]
    fn functions_that_take_nothing_and_are_called_so_are_tests() {
        let source = "
            import \"test\" as test;
            fn test_one() { test::equal(1, 1); }
            private fn test_two ( ) { fn_like(); }
            fn test_with(x) { x }
            fn helper() { 1 }
            fn testing() { 1 }
            fn /* here */ test_three(/* nothing */) { }
            fn test_one() { 2 }
        ";
        assert_eq!(found(source), ["test_one", "test_two", "test_three"]);
        assert!(found("").is_empty() && found("fn").is_empty() && found("fn test_a(").is_empty());
    }

    #[test]
    fn what_looks_like_one_inside_of_something_else_is_none() {
        for inside in [
            "\"fn test_a() {}\"",
            "\"a \\\" fn test_a() {}\"",
            "\"a \"\" fn test_a() {}\"",
            "`fn test_a() {}`",
            "`a `` fn test_a() {}`",
            "`${ fn test_a() {} }`",
            "`a ${ `b ${ \"}\" } fn test_a() {}` } fn test_a() {}`",
            "// fn test_a() {}",
            "/* fn test_a() {} */",
            "/* /* */ fn test_a() {} */",
            "/*/ fn test_a() {} */",
            "#\"fn test_a() {} \" \"#",
            "##\"fn test_a() {} \"# \"##",
            "if true { fn test_a() {} }",
            "#{ a: #{ b: 1 }, c: \"fn test_a() {\" }",
            "myfn test_a() {}",
        ] {
            assert_eq!(found(&format!("{inside}\nfn test_b() {{}}")), ["test_b"], "{inside}");
        }
    }

    #[test]
    fn characters_do_not_open_strings_or_blocks() {
        for c in ["'\"'", "'{'", "'\\''", "'`'", "'\\u0041'", "'\\\\'"] {
            assert_eq!(found(&format!("let a = {c};\nfn test_b() {{}}")), ["test_b"], "{c}");
        }
    }
}
