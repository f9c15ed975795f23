//! The client: commands that ask a node over its public API, as anybody could who has a credential.
//!
//! `api` asks one thing (`origin` says where), `refusal` makes a failure of a refusal, `credentials` keeps what a login left.
//! `session` puts these together for one command: it asks, and shows what came as a table or, with `--json`, as it came;
//! `output` is how that looks, `source` quotes a place in a source, `input` reads what a person types or pipes. `args` is what
//! many commands take, `names` finds the id behind a name. Beside them is a file for each noun, which says what is asked and
//! which columns are shown.
//!
//! Invariants: a token goes to the node that it is for and to no other, into no message, and onto no terminal but once, when an
//! API key is made. What comes from scripts or other people is shown without what steers a terminal. Nothing is asked twice:
//! a request that broke off is told, not sent again (a followed log is: it goes on where it was).

/// Examples of a command, and the variables that count.
macro_rules! example {
    (manifest: $first:literal $(, $more:literal)*) => {
        concat!("Examples:\n  ", $first $(, "\n  ", $more)*,
            "\n\nVariables: PICLOUD_URL (the node), PICLOUD_TOKEN (instead of a login), PICLOUD_APP (the app), ",
            "PICLOUD_ENV (the environment), NO_COLOR.")
    };
    (app: $first:literal $(, $more:literal)*) => {
        concat!("Examples:\n  ", $first $(, "\n  ", $more)*,
            "\n\nVariables: PICLOUD_URL (the node), PICLOUD_TOKEN (instead of a login), PICLOUD_APP (the app), NO_COLOR.")
    };
    (node: $first:literal $(, $more:literal)*) => {
        concat!("Examples:\n  ", $first $(, "\n  ", $more)*,
            "\n\nVariables: PICLOUD_URL (the node), PICLOUD_TOKEN (instead of a login), NO_COLOR.")
    };
}

mod api;
mod apps;
mod args;
mod audit;
mod bounds;
mod credentials;
mod dead_letters;
mod deploy;
mod deployments;
mod docs;
mod domains;
mod files;
mod health;
mod init;
pub(super) mod input;
pub(super) mod invoke;
mod keys;
mod kv;
mod login;
pub(super) mod logs;
pub(super) mod manifest;
mod members;
mod names;
mod nodes;
mod origin;
pub(super) mod output;
mod plan;
mod previews;
mod pull;
mod queues;
mod refusal;
mod restrictions;
mod rollback;
mod routes;
mod scripts;
mod secrets;
mod session;
pub(super) mod source;
mod splits;
mod stream;
mod triggers;
mod watch;

use std::io;

use clap::{CommandFactory as _, Subcommand};

use self::args::At;
pub(super) use self::audit::Audit;
pub(super) use self::health::health;
pub(super) use self::keys::Keys;
pub(super) use self::watch::{Beside, Found};
use super::failure::{Exit, Failure, Result};

const COMPLETIONS: &str = "\
Examples:
  picloud completions bash > ~/.local/share/bash-completion/completions/picloud
  picloud completions zsh > ~/.zfunc/_picloud
  picloud completions fish > ~/.config/fish/completions/picloud.fish";

#[derive(Debug, Subcommand)]
pub(super) enum Remote {
    /// Log in to a node; the token is kept for this user of the machine.
    #[command(after_help = example!(node:
        "picloud login",
        "picloud login --url https://cloud.example.com --username ada --password-stdin < password"))]
    Login(login::Login),
    /// End the login at a node.
    #[command(after_help = example!(node: "picloud logout"))]
    Logout(At),
    /// Say who one is at a node, and what one may.
    #[command(after_help = example!(node: "picloud whoami", "picloud whoami --json | jq -r .username"))]
    Whoami(At),
    /// Apps: list, create, get, rename, delete.
    #[command(subcommand, after_help = example!(node: "picloud apps create shop"))]
    Apps(apps::Apps),
    /// Scripts of an app: list, get, activate, delete; who uses one.
    #[command(subcommand, after_help = example!(app: "picloud scripts list --app shop"))]
    Scripts(scripts::Scripts),
    /// Check sources, and store nothing.
    #[command(after_help = example!(node: "picloud check shop/*.rhai"))]
    Check(deploy::Check),
    /// Check a source, and publish it as a new script or as the next version of one.
    #[command(after_help = example!(app:
        "picloud deploy visits.rhai --app shop",
        "picloud deploy visits.rhai --route 'GET /visits/:who' -m 'counts people'",
        "picloud deploy visits.rhai --no-activate"))]
    Deploy(deploy::Deploy),
    /// Begin an app: a picloud.toml and scripts that work.
    #[command(after_help = "Examples:\n  picloud init shop\n  picloud init shop --template queue --app shop-2")]
    Init(init::Init),
    /// Say what applying picloud.toml would change. Ends with 0, or with --exit-code with 13 where there are changes.
    #[command(after_help = example!(manifest:
        "picloud plan",
        "picloud plan --env staging --diff",
        "picloud plan --exit-code --json"))]
    Plan(plan::Plan),
    /// Make an app what picloud.toml says: scripts, routes, triggers, limits, grants and topics, all at once or not at all.
    #[command(after_help = example!(manifest:
        "picloud apply",
        "picloud apply --env staging -m 'counts by day' --yes",
        "picloud apply --no-activate"))]
    Apply(plan::Apply),
    /// Apply picloud.toml, or deploy one script, again at each save; and show what the app logs.
    #[command(after_help = example!(manifest:
        "picloud watch",
        "picloud watch --env staging --yes",
        "picloud watch visits.rhai --app shop --route '/visits/:who'"))]
    Watch(watch::Watch),
    /// Write the picloud.toml and the sources of a running app.
    #[command(after_help = example!(app: "picloud pull --app shop --dir shop", "picloud pull --force"))]
    Pull(pull::Pull),
    /// Make an app what it was before: scripts, routes, triggers, limits, grants and topics. Data stays as it is.
    #[command(after_help = example!(app: "picloud rollback --app shop", "picloud rollback 6 -m 'orders were lost' --yes"))]
    Rollback(rollback::Rollback),
    /// Deployments of an app: list, get, diff, activate.
    #[command(after_help = example!(app: "picloud deployments --app shop", "picloud deployments diff 7 --against 5"))]
    Deployments(deployments::Deployments),
    /// Make a link to a deployment that need not run, on the app's live data.
    #[command(after_help = example!(app: "picloud preview 9 --app shop", "picloud preview 9 --expires 12h --open"))]
    Preview(previews::Preview),
    /// Have a deployment answer a part of an app's requests: get, set, end.
    #[command(after_help = example!(app: "picloud split set 9 --percent 10 --sticky --app shop"))]
    Split(splits::Split),
    /// Run a script now, and print what it answers.
    #[command(after_help = invoke::EXAMPLES)]
    Invoke(invoke::Invoke),
    /// Show what scripts logged; with -f, as it comes.
    #[command(after_help = logs::EXAMPLES)]
    Logs(logs::Logs),
    /// List the versions of a script; what differs between two: diff.
    #[command(after_help = example!(app: "picloud versions visits --app shop", "picloud versions diff visits 3 --against 1"))]
    Versions(scripts::Versions),
    /// Routes: list, add, delete; which script a request would reach.
    #[command(subcommand, after_help = example!(app: "picloud routes add visits 'GET /visits/:who' --app shop"))]
    Routes(routes::Routes),
    /// Host names of an app: list, add, verify, delete.
    #[command(subcommand, after_help = example!(app: "picloud domains add shop.example.com --app shop"))]
    Domains(domains::Domains),
    /// What has scripts run on events: list, add, enable, disable, delete.
    #[command(subcommand, after_help = example!(app: "picloud triggers add cron tick '0 */5 * * * *' --app shop"))]
    Triggers(triggers::Triggers),
    /// Secrets of an app: list, set, delete. No command shows a value.
    #[command(subcommand, after_help = example!(app: "picloud secrets set stripe-key --app shop < key"))]
    Secrets(secrets::Secrets),
    /// Key-value entries of an app: list, get, set, delete.
    #[command(subcommand, after_help = example!(app: "picloud kv get carts cart/17 --app shop"))]
    Kv(kv::Kv),
    /// Documents of an app: list, get, create, update, patch, delete.
    #[command(subcommand, after_help = example!(app: "picloud docs list orders --filter '{\"paid\": false}' --app shop"))]
    Docs(docs::Docs),
    /// Files of an app: list, get, put, delete.
    #[command(subcommand, after_help = example!(app: "picloud files put invoices 2026-01.pdf --app shop"))]
    Files(files::Files),
    /// Queues of an app: list, send, purge.
    #[command(subcommand, after_help = example!(app: "picloud queues send orders '{\"id\": 17}' --app shop"))]
    Queues(queues::Queues),
    /// Topics of an app: list, publish.
    #[command(subcommand, after_help = example!(app: "picloud topics publish orders.paid '{\"id\": 17}' --app shop"))]
    Topics(queues::Topics),
    /// Deliveries that failed for good: list, get, replay, resolve, count.
    #[command(subcommand, after_help = example!(app: "picloud dead-letters list --app shop"))]
    DeadLetters(dead_letters::DeadLetters),
    /// People of an app: list, add, remove.
    #[command(subcommand, after_help = example!(app: "picloud members add ada editor --app shop"))]
    Members(members::Members),
    /// What an app used.
    #[command(after_help = example!(app: "picloud usage --app shop", "picloud usage --period day --by-script --app shop"))]
    Usage(bounds::Usage),
    /// Every bound of the platform.
    #[command(after_help = example!(node:
        "picloud limits",
        "picloud limits --json | jq '.items[] | select(.level == \"script\")'"))]
    Limits(At),
    /// The nodes that share the database, and how each is. For who manages the instance.
    #[command(after_help = example!(node:
        "picloud nodes",
        "picloud nodes --json | jq -r '.items[] | select(.state != \"serving\") | .name'"))]
    Nodes(At),
    /// What an app lets its scripts reach: get, set.
    #[command(subcommand, after_help = example!(app: "picloud grants set http api.example.com --app shop"))]
    Grants(bounds::Grants),
    /// What the owner of the instance keeps an app from: get, set.
    #[command(subcommand, after_help = example!(app: "picloud restrictions set --capability http --app shop"))]
    Restrictions(restrictions::Restrictions),
    /// Bounds of an app: get, set.
    #[command(subcommand, after_help = example!(app: "picloud quota set concurrency=8 --app shop"))]
    Quota(bounds::Quota),
    /// Print what completes commands in a shell.
    #[command(
        after_help = COMPLETIONS
    )]
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// On a runtime of its own, which a read of the terminal that nobody finishes does not hold.
pub(super) fn on_runtime(work: impl Future<Output = Result<()>>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|e| Failure::new(Exit::Other, format!("no runtime: {e}")))?;
    let done = runtime.block_on(work);
    runtime.shutdown_background();
    done
}

pub(super) async fn run(remote: Remote) -> Result<()> {
    match remote {
        Remote::Login(login) => login::login(login).await,
        Remote::Logout(at) => login::logout(&at).await,
        Remote::Whoami(at) => login::whoami(&at).await,
        Remote::Apps(apps) => apps::run(apps).await,
        Remote::Scripts(scripts) => scripts::run(scripts).await,
        Remote::Check(check) => deploy::check(check).await,
        Remote::Deploy(deploy) => deploy::deploy(deploy).await,
        Remote::Init(init) => init::run(init),
        Remote::Plan(plan) => plan::plan(plan).await,
        Remote::Apply(apply) => plan::apply(apply).await,
        Remote::Watch(watch) => watch::run(watch).await,
        Remote::Pull(pull) => pull::run(pull).await,
        Remote::Rollback(rollback) => rollback::run(rollback).await,
        Remote::Deployments(deployments) => deployments::run(deployments).await,
        Remote::Preview(preview) => previews::run(preview).await,
        Remote::Split(split) => splits::run(split).await,
        Remote::Invoke(invoke) => invoke::run(invoke).await,
        Remote::Logs(logs) => logs::run(logs).await,
        Remote::Versions(versions) => scripts::versions(versions).await,
        Remote::Routes(routes) => routes::run(routes).await,
        Remote::Domains(domains) => domains::run(domains).await,
        Remote::Triggers(triggers) => triggers::run(triggers).await,
        Remote::Secrets(secrets) => secrets::run(secrets).await,
        Remote::Kv(kv) => kv::run(kv).await,
        Remote::Docs(docs) => docs::run(docs).await,
        Remote::Files(files) => files::run(files).await,
        Remote::Queues(queues) => queues::run(queues).await,
        Remote::Topics(topics) => queues::topics(topics).await,
        Remote::DeadLetters(letters) => dead_letters::run(letters).await,
        Remote::Members(members) => members::run(members).await,
        Remote::Usage(usage) => bounds::usage(usage).await,
        Remote::Limits(at) => bounds::limits(&at).await,
        Remote::Nodes(at) => nodes::nodes(&at).await,
        Remote::Grants(grants) => bounds::grants(grants).await,
        Remote::Restrictions(restrictions) => restrictions::run(restrictions).await,
        Remote::Quota(quota) => bounds::quota(quota).await,
        Remote::Completions { shell } => {
            clap_complete::generate(shell, &mut super::Cli::command(), "picloud", &mut io::stdout());
            Ok(())
        }
    }
}

pub(super) async fn keys(keys: Keys) -> Result<()> {
    keys::run(keys).await
}

pub(super) async fn audit(audit: Audit) -> Result<()> {
    audit::run(audit).await
}
