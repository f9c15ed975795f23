//! What a bench is asked for: `--quick`, and names where it has some.

use super::Failure;

pub(crate) struct Asked<'a> {
    /// Shorter than what the goals are judged by.
    pub(crate) is_quick: bool,
    /// None: all there is.
    pub(crate) names: Vec<&'a str>,
    pub(crate) is_whole: bool,
}

impl<'a> Asked<'a> {
    /// Names are parts of a bench, which may have none.
    pub(crate) fn of_parts(arguments: &'a [String], parts: &[&str]) -> Result<Self, Failure> {
        let asked = Self::of_words(arguments)?;
        if let Some(strange) = asked.names.iter().find(|name| !parts.contains(name)) {
            return Err(format!("there is no {strange}; there are {parts:?}").into());
        }
        let is_whole = asked.is_whole || parts.iter().all(|part| asked.names.contains(part));
        Ok(Self { is_whole, ..asked })
    }

    /// Names are words, of which whatever is to be measured has one in its own.
    pub(crate) fn of_words(arguments: &'a [String]) -> Result<Self, Failure> {
        let words = arguments.iter().map(String::as_str);
        let (options, names): (Vec<&str>, Vec<&str>) = words.partition(|word| word.starts_with('-'));
        if let Some(strange) = options.iter().find(|option| **option != "--quick") {
            return Err(format!("{strange} is no option; there is --quick").into());
        }
        Ok(Self { is_quick: !options.is_empty(), is_whole: names.is_empty(), names })
    }

    pub(crate) fn has(&self, part: &str) -> bool {
        self.is_whole || self.names.contains(&part)
    }

    pub(crate) fn matches(&self, name: &str) -> bool {
        self.is_whole || self.names.iter().any(|word| name.contains(word))
    }
}
