//! Makes `host/benches/README.md` and its plots of what the benches found last.
//!
//!     cargo bench -- report
//!
//! Nothing is measured here. What is told of the machine is of the one that this runs on: the benches must have run there.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Range;
use std::path::Path;
use std::process::Command;

use chrono::NaiveDate;
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};
use plotters::prelude::{
    ChartBuilder, Circle, Color, IntoDrawingArea, IntoTextStyle, LineSeries, PathElement, RGBColor, SVGBackend,
};

use crate::BENCHES;
use crate::support::Failure;
use crate::support::figures::{Axis, Findings, Plot, Section, Table, significant};
use crate::support::machine::{field, processor};

pub(crate) fn run() -> Result<(), Failure> {
    let found = read(&Findings::dir())?;
    if found.is_empty() {
        return Err("no bench has found anything yet: run one first, or .ci/bench".into());
    }
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches");
    let plots = home.join("plots");
    std::fs::create_dir_all(&plots)?;
    for entry in std::fs::read_dir(&plots)? {
        let path = entry?.path();
        // Those of benches that have found nothing this time would not be told of.
        if path.extension().is_some_and(|kind| kind == "svg") {
            std::fs::remove_file(path)?;
        }
    }
    for plot in found.values().flat_map(|findings| &findings.sections).flat_map(|section| &section.plots) {
        draw(plot, &plots.join(format!("{}.svg", plot.name))).map_err(|error| format!("the plot {}: {error}", plot.name))?;
    }
    std::fs::write(home.join("README.md"), readme(&found)?)?;
    eprintln!("host/benches/README.md is made of {}", found.keys().map(String::as_str).collect::<Vec<_>>().join(", "));
    Ok(())
}

/// What each bench found, by its name.
fn read(dir: &Path) -> Result<BTreeMap<String, Findings>, Failure> {
    let mut found = BTreeMap::new();
    if !dir.exists() {
        return Ok(found);
    }
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_none_or(|kind| kind != "json") {
            continue;
        }
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let findings = serde_json::from_slice(&std::fs::read(&path)?).map_err(|error| format!("findings of {name}: {error}"))?;
        found.insert(name, findings);
    }
    Ok(found)
}

fn readme(found: &BTreeMap<String, Findings>) -> Result<String, Failure> {
    let mut dated = Vec::new();
    for (name, findings) in found {
        let date: NaiveDate = findings.date.parse().map_err(|error| format!("the date of {name}: {error}"))?;
        dated.extend(findings.sections.iter().map(|section| (section, findings, date)));
    }
    dated.sort_by_key(|(section, ..)| section.order);
    let newest = dated.iter().map(|(.., date)| *date).max().ok_or("no bench has a section")?;
    let mut text = head();
    writeln!(text, "\n## Where\n\nMeasured on {newest}.\n\n{}", machine()?.markdown())?;
    let missing: Vec<String> =
        BENCHES.iter().filter(|(name, ..)| !found.contains_key(*name)).map(|(name, ..)| format!("`{name}`")).collect();
    if !missing.is_empty() {
        writeln!(text, "Not measured yet: {}.\n", missing.join(", "))?;
    }
    writeln!(text, "## Goals\n\n{}", goals(dated.iter().map(|(section, ..)| *section)).markdown())?;
    let here = processor();
    for (section, findings, date) in dated {
        writeln!(text, "## {}\n", section.title)?;
        if findings.processor != here {
            writeln!(text, "*Measured on {date}, on another machine: {}.*\n", findings.processor)?;
        } else if date != newest {
            writeln!(text, "*Measured on {date}.*\n")?;
        }
        if findings.quick {
            writeln!(text, "*A quick run: shorter and noisier than what the goals are judged by.*\n")?;
        }
        writeln!(text, "{}\n", section.text.trim_end())?;
        for table in &section.tables {
            writeln!(text, "{}", table.markdown())?;
        }
        for plot in &section.plots {
            writeln!(text, "![{}](plots/{}.svg)\n", plot.title, plot.name)?;
        }
    }
    Ok(format!("{}\n", text.trim_end()))
}

fn head() -> String {
    let mut text = "# host/benches: what it costs\n\n\
        `cargo bench -- report` makes this file of what the benches found: edit them, not it. What was found on the way, \
        what was tried, and what it was before: [HISTORY.md](HISTORY.md).\n\n    \
        make bench                              # all of them, one after the other, then this file\n    \
        make bench ARGS=--quick                 # the same, shorter and noisier\n    \
        make bench ARGS='invocation events'     # these alone, then this file\n"
        .to_owned();
    let benches = BENCHES.into_iter().map(|(name, _, what)| (name, what));
    for (name, what) in benches.chain([("report", "this file and its plots, of what was found last")]) {
        let command = format!("cargo bench -- {name}");
        text += &format!("    {command:<40}# {what}\n");
    }
    text + "\nEach takes `--quick`. They need `wrk` (Debian: `apt-get install wrk`) and the PostgreSQL binaries. Nothing \
        here is a test: a figure that is off fails nothing. What counts are the ratios to a baseline measured in the same run \
        on the same machine; absolute times move with it. A figure of several rounds is their median, with the least and the \
        most of them in brackets.\n"
}

fn goals<'a>(sections: impl Iterator<Item = &'a Section>) -> Table {
    let mut table = Table::new("", &["figure", "goal", "measured", "reached"]);
    for goal in sections.flat_map(|section| &section.goals) {
        table.row([&*goal.figure, &*goal.goal, &*goal.measured, if goal.reached { "yes" } else { "**no**" }]);
    }
    table
}

/// The machine, and what of it the figures depend on.
fn machine() -> Result<Table, Failure> {
    let mut table = Table::new("", &["", ""]);
    table.row(["CPU", &processor()]);
    let kib = field("/proc/meminfo", "MemTotal", ':').and_then(|text| text.trim_end_matches(" kB").parse::<f64>().ok());
    table.row(["memory", &format!("{:.1} GiB", kib.unwrap_or(f64::NAN) / f64::from(1 << 20))]);
    let system = field("/etc/os-release", "PRETTY_NAME", '=').unwrap_or_else(|| "unknown".to_owned());
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease")?;
    table.row(["system", &format!("{}, Linux {}", system.trim_matches('"'), kernel.trim())]);
    table.row(["Rust", &version("rustc").unwrap_or_else(|| "unknown".to_owned())]);
    table.row(["wasmtime", &locked("wasmtime")?]);
    let postgres = picloud::postgres::find(None).map_or_else(|_| "none".to_owned(), |binaries| binaries.version);
    table.row(["PostgreSQL", &postgres]);
    if let Some(node) = version("node") {
        table.row(["Node.js", &node]);
    }
    Ok(table)
}

/// `1.95.0` of `rustc 1.95.0 (59807616e 2026-04-14)`, `20.19.0` of `v20.19.0`.
fn version(program: &str) -> Option<String> {
    let output = Command::new(program).arg("--version").output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?;
    let mut words = text.split_whitespace().map(|word| word.trim_start_matches('v'));
    words.find(|word| word.starts_with(|first: char| first.is_ascii_digit())).map(str::to_owned)
}

/// The version of a crate in Cargo.lock.
fn locked(name: &str) -> Result<String, Failure> {
    let lock = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.lock"))?;
    let before = format!("name = \"{name}\"\nversion = \"");
    let (_, after) = lock.split_once(&before).ok_or_else(|| format!("Cargo.lock has no {name}"))?;
    Ok(after.split('"').next().unwrap_or_default().to_owned())
}

const SIZE: (u32, u32) = (720, 400);
/// Opaque, so that it reads on a dark page too.
const PAPER: RGBColor = RGBColor(250, 250, 248);
const INK: RGBColor = RGBColor(40, 40, 40);
const GRID: RGBColor = RGBColor(222, 222, 218);
/// Told apart by those who see fewer colours too.
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(170, 68, 153),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(90, 90, 90),
];
/// Of letters, in pixels; plotters divides by 1.24 what it is given.
const TITLE: u32 = 20;
const TEXT: u32 = 15;
/// Of one letter of the legend on average, generously.
const LETTER: f64 = 7.0;
/// Of one line of the legend.
const LINE: i32 = 20;

fn draw(plot: &Plot, file: &Path) -> Result<(), Failure> {
    let (x, y) = (Scale::of(plot, &plot.x, |point| point.0), Scale::of(plot, &plot.y, |point| point.1));
    let root = SVGBackend::new(file, SIZE).into_drawing_area();
    root.fill(&PAPER)?;
    root.draw_text(&plot.title, &("sans-serif", TITLE, &INK).into_text_style(&root), (16, 12))?;
    let names: Vec<&str> = plot.lines.iter().map(|line| line.name.as_str()).collect();
    let (places, bottom) = legend(&names);
    let text = ("sans-serif", TEXT, &INK).into_text_style(&root);
    for ((name, (left, top)), colour) in names.iter().zip(places).zip(COLOURS.iter().cycle()) {
        let middle = top + 6;
        root.draw(&PathElement::new(vec![(left, middle), (left + 22, middle)], colour.stroke_width(2)))?;
        root.draw(&Circle::new((left + 11, middle), 3, colour.filled()))?;
        root.draw_text(name, &text, (left + 28, top))?;
    }
    let mut chart = ChartBuilder::on(&root)
        .margin_top(bottom)
        .margin_right(24)
        .margin_bottom(10)
        .margin_left(10)
        .x_label_area_size(46)
        .y_label_area_size(80)
        .build_cartesian_2d(x.clone(), y.clone())?;
    chart
        .configure_mesh()
        .bold_line_style(GRID)
        .axis_style(INK)
        .set_all_tick_mark_size(4)
        .label_style(text.clone())
        .axis_desc_style(text.clone())
        .x_desc(plot.x.label.as_str())
        .y_desc(plot.y.label.as_str())
        .x_label_formatter(&|at| x.label(*at))
        .y_label_formatter(&|at| y.label(*at))
        .draw()?;
    for (line, colour) in plot.lines.iter().zip(COLOURS.iter().cycle()) {
        let points = line.points.iter().filter_map(|point| Some((x.place(point.0)?, y.place(point.1)?)));
        chart.draw_series(LineSeries::new(points, colour.filled().stroke_width(2)).point_size(3))?;
    }
    root.present()?;
    Ok(())
}

/// Where the names of the lines begin, in rows below the title, and where the chart may begin.
fn legend(names: &[&str]) -> (Vec<(i32, i32)>, i32) {
    let (mut places, mut left, mut top) = (Vec::new(), 16, 40);
    for name in names {
        let width = 28 + (name.chars().count() as f64 * LETTER) as i32;
        if left > 16 && left + width > SIZE.0 as i32 - 16 {
            (left, top) = (16, top + LINE);
        }
        places.push((left, top));
        left += width + 20;
    }
    (places, top + LINE + 8)
}

/// An axis. A logarithmic one is drawn as the straight one of its logarithms.
#[derive(Clone)]
struct Scale {
    is_logarithmic: bool,
    from: f64,
    to: f64,
    ticks: Vec<f64>,
}

impl Scale {
    fn of(plot: &Plot, axis: &Axis, value: impl Fn(&(f64, f64)) -> f64) -> Self {
        let values = plot.lines.iter().flat_map(|line| &line.points).map(value);
        let values = values.filter(|value| value.is_finite() && (!axis.logarithmic || *value > 0.0));
        let bounds = values.fold(None, |bounds: Option<(f64, f64)>, value| {
            let (least, most) = bounds.unwrap_or((value, value));
            Some((least.min(value), most.max(value)))
        });
        let (least, most) = bounds.unwrap_or((1.0, 1.0));
        if axis.logarithmic { Self::logarithmic(least, most) } else { Self::straight(least.min(0.0), most) }
    }

    /// From zero, with some six round steps.
    fn straight(least: f64, most: f64) -> Self {
        let most = if most > least { most } else { least + 1.0 };
        let rough = (most - least) / 6.0;
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|times| times * power).into_iter().find(|step| *step >= rough).unwrap_or(rough);
        let (first, last) = ((least / step).floor() as i32, ((most / step).ceil() as i32).max(1));
        let ticks: Vec<f64> = (first..=last).map(|at| f64::from(at) * step).collect();
        Self { is_logarithmic: false, from: f64::from(first) * step, to: f64::from(last) * step, ticks }
    }

    /// Powers of ten; with 2 and 5 times them where there are few.
    fn logarithmic(least: f64, most: f64) -> Self {
        let (first, last) = (least.log10().floor() as i32, most.log10().ceil() as i32 + 1);
        let times: &[f64] = if last - first > 4 { &[1.0] } else { &[1.0, 2.0, 5.0] };
        let marks: Vec<f64> =
            (first..=last).flat_map(|power| times.iter().map(move |times| times.log10() + f64::from(power))).collect();
        let near = 1e-9;
        let from = marks.iter().copied().rfind(|mark| *mark <= least.log10() + near).unwrap_or(f64::from(first));
        let to = marks.iter().copied().find(|mark| *mark >= most.log10() - near && *mark > from + near);
        let to = to.unwrap_or(f64::from(last));
        let ticks = marks.into_iter().filter(|mark| (from - near..=to + near).contains(mark)).collect();
        Self { is_logarithmic: true, from, to, ticks }
    }

    /// Where a value is drawn; nowhere when it cannot be.
    fn place(&self, value: f64) -> Option<f64> {
        let place = if self.is_logarithmic { value.log10() } else { value };
        place.is_finite().then_some(place)
    }

    fn label(&self, place: f64) -> String {
        let text = significant(if self.is_logarithmic { 10_f64.powf(place) } else { place });
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
    }
}

impl Ranged for Scale {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let share = (value - self.from) / (self.to - self.from);
        limit.0 + (share * f64::from(limit.1 - limit.0)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.ticks.clone()
    }

    fn range(&self) -> Range<f64> {
        self.from..self.to
    }
}
