//! What a bench found, kept for `cargo bench -- report`, which makes README.md and the plots of it.

use std::fmt::{self, Display};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Failure;
use super::asked::Asked;
use super::machine::processor;

/// A chapter of README.md: one bench has one or more.
#[derive(Serialize, Deserialize)]
pub(crate) struct Section {
    /// Sections stand in this order.
    pub(crate) order: u32,
    pub(crate) title: String,
    /// How it is measured and what it means: Markdown, above the tables.
    pub(crate) text: String,
    pub(crate) tables: Vec<Table>,
    pub(crate) plots: Vec<Plot>,
    /// Rows of the table that all sections have together, on top of README.md.
    #[serde(default)]
    pub(crate) goals: Vec<Goal>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Table {
    /// What stands above it; may be empty.
    pub(crate) title: String,
    pub(crate) columns: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
    /// What stands below it; may be empty.
    pub(crate) note: String,
}

/// A figure that is to be reached.
#[derive(Serialize, Deserialize)]
pub(crate) struct Goal {
    pub(crate) figure: String,
    pub(crate) goal: String,
    pub(crate) measured: String,
    pub(crate) reached: bool,
}

/// A picture of figures as a function of a size; also a file `plots/{name}.svg`.
#[derive(Serialize, Deserialize)]
pub(crate) struct Plot {
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    pub(crate) lines: Vec<Line>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Axis {
    /// With its unit: "functions", "p50, ms".
    pub(crate) label: String,
    pub(crate) logarithmic: bool,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) name: String,
    /// By x.
    pub(crate) points: Vec<(f64, f64)>,
}

/// What one run of one bench leaves.
#[derive(Serialize, Deserialize)]
pub(crate) struct Findings {
    /// The day it was measured.
    pub(crate) date: String,
    /// Of the machine that it was measured on.
    pub(crate) processor: String,
    /// Shorter than what the goals are judged by.
    pub(crate) quick: bool,
    pub(crate) sections: Vec<Section>,
}

/// One figure in several rounds. Written as `median (least–most)`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl Section {
    pub(crate) fn new(order: u32, title: &str, text: &str) -> Self {
        let (title, text) = (title.to_owned(), text.to_owned());
        Self { order, title, text, tables: Vec::new(), plots: Vec::new(), goals: Vec::new() }
    }

    pub(crate) fn goal(&mut self, figure: &str, goal: &str, measured: impl Into<String>, reached: bool) {
        let (figure, goal, measured) = (figure.to_owned(), goal.to_owned(), measured.into());
        self.goals.push(Goal { figure, goal, measured, reached });
    }

    fn print(&self) {
        println!("\n## {}\n", self.title);
        for table in &self.tables {
            println!("{}", table.markdown());
        }
        for goal in &self.goals {
            println!("{}", goal.line());
        }
    }
}

impl Goal {
    fn line(&self) -> String {
        let Self { figure, goal, measured, reached } = self;
        format!("{figure}: {measured}, goal {goal}: {}", if *reached { "reached" } else { "not reached" })
    }
}

impl Table {
    pub(crate) fn new(title: &str, columns: &[&str]) -> Self {
        let columns = columns.iter().map(|name| (*name).to_owned()).collect();
        Self { title: title.to_owned(), columns, rows: Vec::new(), note: String::new() }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = impl Into<String>>) {
        let cells: Vec<String> = cells.into_iter().map(Into::into).collect();
        assert_eq!(cells.len(), self.columns.len(), "a cell for each column of {:?}", self.columns);
        self.rows.push(cells);
    }

    /// As Markdown, columns aligned so that it reads in a terminal too.
    pub(crate) fn markdown(&self) -> String {
        let width = |at: usize| {
            let cells = self.rows.iter().map(|row| &row[at]).chain([&self.columns[at]]);
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0).max(3)
        };
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        let line = |cells: &[String]| {
            let padded = cells.iter().zip(&widths).map(|(cell, width)| format!(" {cell:width$} |"));
            format!("|{}\n", padded.collect::<String>())
        };
        let rule = widths.iter().map(|width| format!("{}|", "-".repeat(width + 2))).collect::<String>();
        let mut text = if self.title.is_empty() { String::new() } else { format!("{}\n\n", self.title) };
        text += &line(&self.columns);
        text += &format!("|{rule}\n");
        self.rows.iter().for_each(|row| text += &line(row));
        if !self.note.is_empty() {
            text += &format!("\n{}\n", self.note);
        }
        text
    }
}

impl Plot {
    pub(crate) fn new((name, title): (&str, &str), x: Axis, y: Axis, lines: Vec<Line>) -> Self {
        Self { name: name.to_owned(), title: title.to_owned(), x, y, lines }
    }
}

impl Axis {
    pub(crate) fn straight(label: &str) -> Self {
        Self { label: label.to_owned(), logarithmic: false }
    }

    pub(crate) fn logarithmic(label: &str) -> Self {
        Self { label: label.to_owned(), logarithmic: true }
    }
}

impl Line {
    /// The name is shown as plain text.
    pub(crate) fn new(name: &str, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        Self { name: name.replace('`', ""), points: points.into_iter().collect() }
    }
}

impl Findings {
    /// Prints the sections. Those of a whole run stay in `findings/`, for `report`; a part replaces nothing.
    pub(crate) fn tell(bench: &str, asked: &Asked<'_>, sections: Vec<Section>) -> Result<(), Failure> {
        sections.iter().for_each(Section::print);
        if !asked.is_whole {
            return Ok(());
        }
        let date = picloud::clock::Clock::system().now().date_naive().to_string();
        let findings = Self { date, processor: processor(), quick: asked.is_quick, sections };
        std::fs::create_dir_all(Self::dir())?;
        Ok(std::fs::write(Self::dir().join(format!("{bench}.json")), serde_json::to_string_pretty(&findings)? + "\n")?)
    }

    pub(crate) fn dir() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/findings")
    }
}

impl Spread {
    pub(crate) fn of(rounds: impl IntoIterator<Item = f64>) -> Self {
        let mut rounds: Vec<f64> = rounds.into_iter().collect();
        rounds.sort_by(f64::total_cmp);
        let at = |index: usize| rounds.get(index).copied().unwrap_or(f64::NAN);
        Self { median: at(rounds.len() / 2), least: at(0), most: at(rounds.len().saturating_sub(1)) }
    }
}

impl Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [median, least, most] = [self.median, self.least, self.most].map(significant);
        // What was measured once has no spread.
        if least == most { f.write_str(&median) } else { write!(f, "{median} ({least}–{most})") }
    }
}

/// Three significant figures: `0.0123`, `12.3`, `12 300`.
pub(crate) fn significant(value: f64) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    if value == 0.0 {
        return "0".to_owned();
    }
    let decimals = |value: f64| 2 - value.abs().log10().floor() as i32;
    // Rounding may bring one figure more: 9.996 is 10.0.
    let unit = 10_f64.powi(-decimals(value));
    let rounded = (value / unit).round() * unit;
    match usize::try_from(decimals(rounded * (1.0 + 1e-9))) {
        Ok(decimals) => format!("{rounded:.decimals$}"),
        Err(_) => format!("{}{}", if value < 0.0 { "-" } else { "" }, count(rounded.abs().round() as u64)),
    }
}

/// A number of things, with thin spaces between thousands.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push('\u{2009}');
        }
        text.push(digit);
    }
    text
}
