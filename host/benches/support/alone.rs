//! A sandbox in this process, without a database: what an invocation costs by itself.

use std::path::Path;
use std::sync::Arc;

use picloud::clock::Clock;
use picloud::hostcall::Reach;
use picloud::id::{AppId, ExecutionId, RequestId, ScriptId};
use picloud::model::invocation::{Call, Deployed, InvocationType, Request};
use picloud::model::script::Limits;
use picloud::sandbox::Sandbox;
use picloud::sandbox::probe::Probe;
use picloud::service::{Services, Settings};

use super::Failure;

/// The sandbox, and what its scripts reach: nothing.
pub(crate) async fn open() -> Result<(Sandbox, Reach), Failure> {
    // Kept from run to run: only the first compiles the component.
    let data_dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("sandbox");
    let pool = Probe::take().choose(None);
    let sandbox = Sandbox::open(&data_dir, pool, Clock::system(), &|line| eprintln!("{line}")).await?;
    let db = sqlx::PgPool::connect_lazy("postgres://nobody@127.0.0.1:1/none")?;
    let settings = Settings {
        apps_domain: "localhost".to_owned(),
        reserved_hosts: Vec::new(),
        data_dir,
        secret_key: None,
        egress: Default::default(),
        smtp: None,
    };
    let services = Services::new(db, Clock::system(), settings)?;
    let reach = Reach::alone(AppId::at(Clock::system().now()), Arc::new(services));
    Ok((sandbox, reach))
}

/// One request for `/hello`.
pub(crate) fn call() -> Call {
    let now = Clock::system().now();
    let limits = Limits { fuel: 5_000_000_000, ..Limits::default() };
    let script = Deployed {
        app_id: AppId::at(now),
        script_id: ScriptId::at(now),
        version: 1,
        generation: 0,
        kind: Default::default(),
        name: "bench".to_owned(),
        limits,
    };
    Call {
        execution_id: ExecutionId::at(now),
        request_id: RequestId::at(now),
        script: Arc::new(script),
        invocation_type: InvocationType::Http,
        request: Request {
            method: "GET".to_owned(),
            path: "/hello".to_owned(),
            headers: vec![("host".to_owned(), "bench.localhost:8080".to_owned()), ("user-agent".to_owned(), "bench".to_owned())],
            remote_addr: "127.0.0.1".to_owned(),
            ..Request::default()
        },
        delivered: None,
    }
}
