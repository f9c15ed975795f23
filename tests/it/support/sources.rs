//! Rust sources as text, and as text without comments and strings: enough for rules about who names whom.

use std::path::{Path, PathBuf};

/// Files under a directory, relative to it, sorted.
pub(crate) fn walk(root: &Path) -> Vec<PathBuf> {
    fn below(root: &Path, dir: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(dir).into_iter().flatten() {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                if path.file_name().is_some_and(|name| name == ".git" || name == "target" || name == "node_modules") {
                    continue;
                }
                below(root, &path, found);
            } else {
                found.push(path.strip_prefix(root).expect("below the root").to_owned());
            }
        }
    }
    let mut found = Vec::new();
    below(root, root, &mut found);
    found.sort();
    found
}

/// Every `.rs` file under a directory of the repository, with its text.
pub(crate) fn rust(dir: &str) -> Vec<(PathBuf, String)> {
    let root = super::repository().join(dir);
    let found: Vec<_> = walk(&root)
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| {
            let text = std::fs::read_to_string(root.join(&path)).expect("a readable source");
            (path, text)
        })
        .collect();
    assert!(!found.is_empty(), "no sources in {dir}");
    found
}

/// A source split into what the compiler reads and what its string literals hold; both keep their line breaks.
pub(crate) struct Split {
    /// Comments are blank, strings are `""`.
    pub(crate) code: String,
    /// Literals with the line they begin on.
    pub(crate) strings: Vec<(usize, String)>,
}

pub(crate) fn split(source: &str) -> Split {
    let chars: Vec<char> = source.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let (mut code, mut strings, mut i, mut line) = (String::new(), Vec::new(), 0, 1);
    while i < chars.len() {
        let c = at(i);
        let starts_word = i == 0 || !(at(i - 1).is_alphanumeric() || at(i - 1) == '_');
        if c == '/' && at(i + 1) == '/' {
            while i < chars.len() && at(i) != '\n' {
                i += 1;
            }
        } else if c == '/' && at(i + 1) == '*' {
            let mut depth = 0;
            loop {
                match (at(i), at(i + 1)) {
                    ('/', '*') => {
                        depth += 1;
                        i += 2;
                    }
                    ('*', '/') => {
                        depth -= 1;
                        i += 2;
                    }
                    ('\n', _) => {
                        code.push('\n');
                        line += 1;
                        i += 1;
                    }
                    _ => i += 1,
                }
                if depth == 0 || i >= chars.len() {
                    break;
                }
            }
        } else if let Some(hashes) = starts_word.then(|| raw_string(&chars, i)).flatten() {
            let (start, mut text) = (line, String::new());
            while at(i) != '"' {
                i += 1;
            }
            i += 1;
            while i < chars.len() && !(at(i) == '"' && (0..hashes).all(|n| at(i + 1 + n) == '#')) {
                if at(i) == '\n' {
                    code.push('\n');
                    line += 1;
                }
                text.push(at(i));
                i += 1;
            }
            i += 1 + hashes;
            code.push_str("\"\"");
            strings.push((start, text));
        } else if c == '"' {
            let (start, mut text) = (line, String::new());
            i += 1;
            while i < chars.len() && at(i) != '"' {
                if at(i) == '\\' {
                    text.push(at(i));
                    i += 1;
                }
                if at(i) == '\n' {
                    code.push('\n');
                    line += 1;
                }
                text.push(at(i));
                i += 1;
            }
            i += 1;
            code.push_str("\"\"");
            strings.push((start, text));
        } else if c == '\'' && (at(i + 1) == '\\' || at(i + 2) == '\'') {
            // A character, not a lifetime.
            i += if at(i + 1) == '\\' { 3 } else { 2 };
            while i < chars.len() && at(i) != '\'' {
                i += 1;
            }
            i += 1;
            code.push_str("' '");
        } else {
            if c == '\n' {
                line += 1;
            }
            code.push(c);
            i += 1;
        }
    }
    Split { code, strings }
}

/// The number of `#` when a raw string starts here (`r"`, `br#"`, …).
fn raw_string(chars: &[char], at: usize) -> Option<usize> {
    let rest = &chars[at..];
    let prefix = match rest {
        ['b' | 'c', 'r', ..] => 2,
        ['r', ..] => 1,
        _ => return None,
    };
    let hashes = rest[prefix..].iter().take_while(|c| **c == '#').count();
    (rest.get(prefix + hashes) == Some(&'"')).then_some(hashes)
}

/// The code before the file's own test module, and the same with that module.
pub(crate) fn without_tests(code: &str) -> &str {
    code.find("#[cfg(test)]\nmod tests {").map_or(code, |at| &code[..at])
}

#[test]
fn comments_and_strings_are_told_from_code() {
    let split = split("a /* \" b /* c */ */ \"d // e\" 'f' '\\'' x: &'g str r#\"h \" i\"# // j\nk");
    assert_eq!(split.code, "a  \"\" ' ' ' ' x: &'g str \"\" \nk");
    assert_eq!(split.strings, [(1, "d // e".to_owned()), (1, "h \" i".to_owned())]);
}
