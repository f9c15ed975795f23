//! `picloud.toml`: what an app is to be, beside its sources. Found in this directory or further up.
//!
//! Nothing outside of the manifest's directory is read: no `..`, no absolute path, and no link that leads out.

mod project;
mod shape;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value, json};

pub(super) use self::project::Project;
use self::shape::{Layer, Wrong};
use super::args::{At, InApp};
use super::output::cell;
use super::source::Fault;
use super::watch::Places;
use crate::cli::failure::{Exit, Failure, Result};
use crate::cli::terminal::warn;
use crate::limits;

pub(super) const NAME: &str = "picloud.toml";
/// Names an environment of the manifest.
pub(super) const ENVIRONMENT: &str = "PICLOUD_ENV";

/// Which manifest, for which app.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Described {
    #[command(flatten)]
    pub(super) place: InApp,
    /// Environment: what `[env.NAME]` says goes over the rest of the manifest.
    #[arg(long, env = ENVIRONMENT, hide_env_values = true, value_name = "NAME")]
    env: Option<String>,
    /// The manifest [default: picloud.toml, here or further up].
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
}

/// A manifest as it is named and as it reads.
struct Text {
    /// Where what it names is.
    directory: PathBuf,
    shown: String,
    text: String,
}

impl Described {
    /// Of this manifest, for the app that it names itself.
    pub(super) fn of(manifest: PathBuf, env: Option<String>) -> Self {
        let place = InApp { at: At { url: None, json: false }, app: None };
        Self { place, env, manifest: Some(manifest) }
    }

    /// The same of another manifest.
    pub(super) fn naming(self, manifest: PathBuf) -> Self {
        Self { manifest: Some(manifest), ..self }
    }

    /// The manifest that is meant.
    pub(super) fn path(&self) -> Result<PathBuf> {
        match &self.manifest {
            Some(path) => Ok(path.clone()),
            None => found()?.ok_or_else(|| {
                let line = format!("there is no {NAME} here or further up");
                Failure::new(Exit::Usage, line).hinting("picloud init writes one, and picloud pull that of a running app")
            }),
        }
    }

    pub(super) fn read(&self) -> Result<Project> {
        let (project, doubt) = self.look()?;
        if let Some(doubt) = doubt {
            warn(&doubt);
        }
        Ok(project)
    }

    /// The same, and what there is to warn of.
    pub(super) fn look(&self) -> Result<(Project, Option<String>)> {
        let text = Text::read(&self.path()?)?;
        let layer = text.layer(self.env.as_deref());
        let layer = layer.map_err(|wrong| text.wrong(wrong))?;
        let of_manifest = layer.app.as_ref().map(|app| checked(app.get_ref()).map_err(|why| Wrong::at(app.span(), why)));
        let of_manifest = of_manifest.transpose().map_err(|wrong| text.wrong(wrong))?;
        let of_command = self.place.app.clone().filter(|app| !app.is_empty());
        let doubt = match (&of_command, &of_manifest) {
            (Some(said), Some(written)) if said != written => {
                Some(format!("the manifest is for the app {}, and --app or PICLOUD_APP says {}", cell(written), cell(said)))
            }
            _ => None,
        };
        let app = match of_command.or(of_manifest) {
            Some(app) => app,
            None => return Err(text.wrong(Wrong { span: None, message: "it names no app: `app = \"…\"`, or --app".to_owned() })),
        };
        Ok((text.project(app, &layer)?, doubt))
    }

    /// Where the manifest and the sources are, as far as it can be read.
    pub(super) fn places(&self) -> Places {
        let mut places = Places::default();
        let Ok(path) = self.path() else { return places };
        let Ok(root) = directory_of(&path) else { return places };
        places.add(&root, root.join(path.file_name().unwrap_or_default()));
        let layer = Text::read(&path).ok().and_then(|text| text.layer(self.env.as_deref()).ok());
        let Some(layer) = layer else { return places };
        for (name, script) in &layer.scripts {
            let name = name.get_ref();
            match script.file.as_ref().map(|file| file.get_ref()) {
                Some(file) if is_below(file) => places.add(&root, root.join(file)),
                None if is_script_name(name) => {
                    usual_files(name).into_iter().for_each(|file| places.add(&root, root.join(file)));
                }
                _ => {}
            }
        }
        places
    }
}

impl Text {
    fn read(path: &Path) -> Result<Self> {
        let shown = shown(path);
        let text = bounded(path, limits::CLIENT_MANIFEST_BYTES_MAX);
        let text = text.map_err(|why| Failure::new(Exit::Usage, format!("{shown} {why}")))?;
        let directory = directory_of(path);
        let directory = directory.map_err(|e| Failure::new(Exit::Usage, format!("{shown} is in no directory: {e}")))?;
        Ok(Self { directory, shown, text })
    }

    /// What it says in an environment, or in none.
    fn layer(&self, env: Option<&str>) -> std::result::Result<Layer, Wrong> {
        shape::File::parse(&self.text)?.layer(named(env))
    }

    /// Quoted, with a caret where the place is known.
    fn wrong(&self, wrong: Wrong) -> Failure {
        let Wrong { span, message } = wrong;
        let before = span.and_then(|span| self.text.get(..span.start));
        let line = before.map(|before| before.matches('\n').count() as u64 + 1);
        let column = before.map(|before| before.rsplit('\n').next().unwrap_or_default().chars().count() as u64 + 1);
        Failure::quoting(Exit::Refused, Fault { line, column, message }.quoting(&self.shown, &self.text))
    }

    fn project(&self, app: String, layer: &Layer) -> Result<Project> {
        let (mut scripts, mut sources) = (Map::new(), BTreeMap::new());
        for (name, script) in &layer.scripts {
            let (name, span) = (name.get_ref(), name.span());
            let wrong = |why| Wrong::at(span.clone(), format!("the script {name}: {why}"));
            if !is_script_name(name) {
                return Err(self.wrong(wrong("its name starts with a-z or 0-9 and holds a-z, 0-9, _ and - only".to_owned())));
            }
            let found = source(&self.directory, name, script.file.as_ref().map(|file| file.get_ref().as_str()));
            let (path, source) = found.map_err(|why| self.wrong(wrong(why)))?;
            scripts.insert(name.clone(), script.body(&source));
            sources.insert(name.clone(), (shown(&path), source));
        }
        let mut body = Map::from_iter([("scripts".to_owned(), Value::Object(scripts))]);
        if let Some(grants) = &layer.grants {
            body.insert("grants".to_owned(), json!(grants));
        }
        if let Some(topics) = &layer.topics {
            body.insert("topics".to_owned(), json!(topics));
        }
        let manifest = (self.shown.clone(), self.text.clone());
        Ok(Project { app, body: Value::Object(body), sources, manifest })
    }
}

/// The app that the nearest manifest names, in the environment that PICLOUD_ENV names.
pub(super) fn app_of(directory: &Path) -> Result<Option<String>> {
    let env = std::env::var(ENVIRONMENT).ok();
    app_in(directory, named(env.as_deref()))
}

fn app_in(directory: &Path, env: Option<&str>) -> Result<Option<String>> {
    /// What is beside it is `apply`'s to understand.
    #[derive(Deserialize)]
    struct Names {
        app: Option<toml::Spanned<String>>,
        #[serde(default)]
        env: BTreeMap<String, Named>,
    }
    #[derive(Deserialize)]
    struct Named {
        app: Option<toml::Spanned<String>>,
    }
    let Some(path) = nearest(directory) else { return Ok(None) };
    let text = Text::read(&path)?;
    let names: Names = toml::from_str(&text.text).map_err(|error| text.wrong(error.into()))?;
    let Names { app, env: mut environments } = names;
    let app = env.and_then(|env| environments.remove(env)?.app).or(app);
    let app = app.map(|app| checked(app.get_ref()).map_err(|why| text.wrong(Wrong::at(app.span(), why))));
    app.transpose()
}

/// A manifest for who runs its scripts on this machine.
#[derive(Debug)]
pub(in crate::cli) struct Above {
    pub(in crate::cli) directory: PathBuf,
    pub(in crate::cli) app: String,
    /// As the API takes it.
    pub(in crate::cli) body: Value,
    /// By script: as a file is shown, and what it holds.
    pub(in crate::cli) sources: BTreeMap<String, (String, String)>,
}

/// The nearest manifest at or above a directory, in the environment that PICLOUD_ENV names; none where there is none.
pub(in crate::cli) fn above(directory: &Path) -> Result<Option<Above>> {
    let Some(path) = nearest(directory) else { return Ok(None) };
    let env = std::env::var(ENVIRONMENT).ok();
    let text = Text::read(&path)?;
    let layer = text.layer(env.as_deref()).map_err(|wrong| text.wrong(wrong))?;
    let app = layer.app.as_ref().map_or_else(|| "app".to_owned(), |app| app.get_ref().clone());
    let Project { app, body, sources, .. } = text.project(app, &layer)?;
    Ok(Some(Above { directory: text.directory, app, body, sources }))
}

fn nearest(directory: &Path) -> Option<PathBuf> {
    directory.ancestors().map(|directory| directory.join(NAME)).find(|path| path.is_file())
}

/// The nearest manifest, if there is one.
pub(super) fn found() -> Result<Option<PathBuf>> {
    Ok(here()?.and_then(|here| nearest(&here)))
}

/// The file of each script of a manifest that is there, where it can be read.
pub(super) fn files_of(manifest: &Path) -> BTreeMap<String, String> {
    let layer = Text::read(manifest).ok().and_then(|text| text.layer(None).ok());
    let scripts = layer.map(|layer| layer.scripts).unwrap_or_default();
    scripts.into_iter().filter_map(|(name, script)| Some((name.into_inner(), script.file?.into_inner()))).collect()
}

/// The directory of the nearest manifest, else this one.
pub(super) fn directory() -> Result<PathBuf> {
    let here = here()?.unwrap_or_else(|| PathBuf::from("."));
    Ok(nearest(&here).and_then(|path| path.parent().map(Path::to_path_buf)).unwrap_or(here))
}

/// The file of a script that says nothing of one: the first that is there.
pub(super) fn usual_files(script: &str) -> [String; 2] {
    [format!("{script}.rhai"), format!("scripts/{script}.rhai")]
}

/// Whether a script's name can be that of a file.
pub(super) fn is_script_name(name: &str) -> bool {
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
    name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit()) && name.chars().all(legal)
}

/// Whether a path, as it is written, stays below the directory that it is in.
pub(super) fn is_below(path: &str) -> bool {
    let mut parts = Path::new(path).components();
    !path.is_empty() && parts.all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
}

/// The file of a script, and what it holds; or what is wrong with it.
fn source(directory: &Path, script: &str, file: Option<&str>) -> std::result::Result<(PathBuf, String), String> {
    let path = match file {
        Some(file) if is_below(file) => directory.join(file),
        Some(file) => return Err(format!("{file} is outside of the manifest's directory")),
        None => {
            let [first, second] = usual_files(script);
            let found = [&first, &second].into_iter().map(|name| directory.join(name)).find(|path| path.exists());
            found.ok_or_else(|| format!("there is neither {first} nor {second}; name its `file`"))?
        }
    };
    let shown = path.strip_prefix(directory).unwrap_or(&path).to_string_lossy().into_owned();
    let real = path.canonicalize().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => format!("there is no file {shown}"),
        _ => format!("{shown} cannot be read: {error}"),
    })?;
    if !real.starts_with(directory) {
        return Err(format!("{shown} leads out of the manifest's directory"));
    }
    let text = bounded(&real, limits::SOURCE_BYTES_CEILING).map_err(|why| format!("{shown} {why}"))?;
    Ok((path, text))
}

/// What a regular file holds; or what is wrong with it.
fn bounded(path: &Path, most: usize) -> std::result::Result<String, String> {
    let unreadable = |error: std::io::Error| format!("cannot be read: {error}");
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err("is no file".to_owned());
    }
    let mut bytes = Vec::new();
    File::open(path).map_err(unreadable)?.take(most as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() > most {
        return Err(format!("holds more than {most} bytes"));
    }
    String::from_utf8(bytes).map_err(|_| "is no UTF-8".to_owned())
}

/// An app is a slug or an id.
fn checked(app: &str) -> std::result::Result<String, String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if app.is_empty() || !app.chars().all(legal) { Err("an app is its slug or its id".to_owned()) } else { Ok(app.to_owned()) }
}

fn named(env: Option<&str>) -> Option<&str> {
    env.filter(|env| !env.is_empty())
}

fn here() -> Result<Option<PathBuf>> {
    let here = std::env::current_dir();
    here.map(Some).map_err(|e| Failure::new(Exit::Usage, format!("the working directory cannot be read: {e}")))
}

/// The directory that a file is in, whatever links lead there.
fn directory_of(path: &Path) -> std::io::Result<PathBuf> {
    path.parent().filter(|directory| !directory.as_os_str().is_empty()).unwrap_or(Path::new(".")).canonicalize()
}

/// From here where it is below, for people.
pub(in crate::cli) fn shown(path: &Path) -> String {
    let here = std::env::current_dir().and_then(|here| here.canonicalize()).unwrap_or_default();
    let plain = std::env::current_dir().unwrap_or_default();
    let near = path.strip_prefix(&here).or_else(|_| path.strip_prefix(&plain)).unwrap_or(path);
    cell(&near.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn write(home: &Path, name: &str, text: &str) -> PathBuf {
        let path = home.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    pub(super) fn read(home: &Path, manifest: &str) -> Result<Project> {
        let text = Text::read(&write(home, NAME, manifest))?;
        let layer = text.layer(None).map_err(|wrong| text.wrong(wrong))?;
        text.project("shop".to_owned(), &layer)
    }

    fn refused(home: &Path, manifest: &str) -> String {
        read(home, manifest).unwrap_err().told()
    }

    #[test]
    fn a_source_is_beside_the_manifest_or_in_scripts_or_where_it_says() {
        let home = tempfile::tempdir().unwrap();
        for name in ["a.rhai", "scripts/b.rhai", "src/other.rhai", "scripts/a.rhai"] {
            write(home.path(), name, name);
        }
        let project = read(home.path(), "[scripts.a]\n[scripts.b]\n[scripts.c]\nfile = \"./src/other.rhai\"\n").unwrap();
        let of = |name: &str| project.body.pointer(&format!("/scripts/{name}/source")).unwrap().as_str().unwrap().to_owned();
        assert_eq!((of("a"), of("b"), of("c")), ("a.rhai".into(), "scripts/b.rhai".into(), "src/other.rhai".into()));
        assert!(project.shown_sources()[1].ends_with("scripts/b.rhai"));
        assert_eq!(project.body.get("grants"), None);
    }

    #[test]
    fn what_is_not_there_or_elsewhere_is_told_with_the_script_and_its_line() {
        let home = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        let secret = write(outside.path(), "secret", "hush");
        std::os::unix::fs::symlink(&secret, home.path().join("link.rhai")).unwrap();
        std::os::unix::fs::symlink(outside.path(), home.path().join("dir")).unwrap();
        std::os::unix::fs::symlink("picloud.toml", home.path().join("fine.rhai")).unwrap();
        std::fs::create_dir(home.path().join("folder.rhai")).unwrap();
        for (file, why) in [
            ("nope.rhai", "there is no file nope.rhai"),
            ("../secret", "../secret is outside of the manifest's directory"),
            ("a/../../secret", "is outside of the manifest's directory"),
            ("/etc/passwd", "/etc/passwd is outside of the manifest's directory"),
            ("", "is outside of the manifest's directory"),
            ("link.rhai", "link.rhai leads out of the manifest's directory"),
            ("dir/secret", "dir/secret leads out of the manifest's directory"),
            ("folder.rhai", "folder.rhai is no file"),
        ] {
            let told = refused(home.path(), &format!("[scripts.visits]\nfile = \"{file}\"\n"));
            assert!(told.contains("picloud.toml:1:10: the script visits: ") && told.contains(why), "{file}: {told}");
            assert!(told.contains("  1 | [scripts.visits]\n    |          ^\n"), "{told}");
        }
        read(home.path(), "[scripts.visits]\nfile = \"fine.rhai\"\n").unwrap();
        assert!(refused(home.path(), "[scripts.visits]\n").contains("there is neither visits.rhai nor scripts/visits.rhai"));
        assert!(refused(home.path(), "[scripts.\"../x\"]\n").contains("its name starts with"));
    }

    #[test]
    fn a_manifest_that_cannot_be_read_is_watched_all_the_same() {
        let home = tempfile::tempdir().unwrap();
        let root = home.path().canonicalize().unwrap();
        let manifest = "[scripts.a]\n[scripts.\"../x\"]\n[scripts.b]\nfile = \"src/b.rhai\"\n";
        let described = Described::of(write(&root, NAME, manifest), None);
        let mut all = Places::default();
        [NAME, "a.rhai", "scripts/a.rhai", "src/b.rhai"].iter().for_each(|file| all.add(&root, root.join(file)));
        assert_eq!(described.places(), all);
        write(&root, NAME, "[scripts\n");
        let mut alone = Places::default();
        alone.add(&root, root.join(NAME));
        assert_eq!(described.places(), alone);
        std::fs::remove_file(root.join(NAME)).unwrap();
        assert_eq!(described.places(), alone);
    }

    #[test]
    fn a_source_is_taken_up_to_its_bound() {
        let home = tempfile::tempdir().unwrap();
        for (bytes, taken) in [(limits::SOURCE_BYTES_CEILING, true), (limits::SOURCE_BYTES_CEILING + 1, false)] {
            write(home.path(), "a.rhai", &"/".repeat(bytes));
            assert_eq!(read(home.path(), "[scripts.a]\n").is_ok(), taken, "{bytes}");
        }
    }

    #[test]
    fn the_app_is_that_of_the_nearest_manifest() {
        let home = tempfile::tempdir().unwrap();
        let deep = home.path().join("a").join("b");
        std::fs::create_dir_all(&deep).unwrap();
        let app = |env| app_in(&deep, env).map_err(|failure| failure.told());
        write(home.path(), NAME, "app = \"outer\"\n");
        assert_eq!(app(None).unwrap().as_deref(), Some("outer"));
        write(
            home.path(),
            "a/picloud.toml",
            "app = 'inner' # mine\nname = \"x\"\n[env.staging]\napp = \"inner-staging\"\n[env.x]\n",
        );
        for (env, expected) in [(None, "inner"), (Some("staging"), "inner-staging"), (Some("x"), "inner"), (Some("y"), "inner")] {
            assert_eq!(app(env).unwrap().as_deref(), Some(expected), "{env:?}");
        }
        for (text, expected) in [("", None), ("[scripts]\napp = {}\n", None)] {
            write(home.path(), "a/picloud.toml", text);
            assert_eq!(app(None).unwrap(), expected, "{text}");
        }
        for text in ["app = \"../../x\"\n", "app = 7\n", "app = \"\"\n", "app =\n"] {
            write(home.path(), "a/picloud.toml", text);
            assert!(app(None).unwrap_err().contains("picloud.toml:1:"), "{text}");
        }
    }

    #[test]
    fn a_manifest_is_read_up_to_its_bound() {
        let home = tempfile::tempdir().unwrap();
        let head = "app = \"shop\"\n";
        for (bytes, taken) in [(limits::CLIENT_MANIFEST_BYTES_MAX, true), (limits::CLIENT_MANIFEST_BYTES_MAX + 1, false)] {
            write(home.path(), NAME, &format!("{head}{}", "#".repeat(bytes - head.len())));
            assert_eq!(app_in(home.path(), None).is_ok(), taken, "{bytes}");
        }
    }
}
