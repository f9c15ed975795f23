//! How the database finds documents: the plans of the statements that the store really sends, beside much of another app's.

use std::collections::BTreeSet;

use picloud::id::AppId;
use picloud::model::docs::{Find, KeyPlace, Place, Query, Sort};
use picloud::store::docs::search::{self, Ground};
use serde_json::{Value, json};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Execute as _, Postgres, QueryBuilder};

use crate::support::TestApp;
use crate::support::cluster::run;

const PKEY: &str = "documents_pkey";
const GIN: &str = "documents_data_idx";

/// What a plan reads: indexes by name, and `Seq Scan` where it reads the table through.
#[derive(Debug, Default)]
struct Plan {
    reads: BTreeSet<String>,
    sorts: bool,
}

impl Plan {
    fn note(&mut self, node: &Value) {
        let kind = node["Node Type"].as_str().expect("a node type");
        if kind == "Seq Scan" {
            self.reads.insert(kind.to_owned());
        }
        self.reads.extend(node["Index Name"].as_str().map(str::to_owned));
        self.sorts |= kind.ends_with("Sort");
        for inner in node["Plans"].as_array().into_iter().flatten() {
            self.note(inner);
        }
    }

    fn reads(&self) -> Vec<&str> {
        self.reads.iter().map(String::as_str).collect()
    }
}

async fn plan(db: &mut PgConnection, mut statement: QueryBuilder<Postgres>) -> Plan {
    let arguments = statement.build().take_arguments().expect("encoded").expect("arguments");
    let explained = format!("EXPLAIN (FORMAT JSON) {}", statement.into_string());
    let explained: Value =
        sqlx::query_scalar_with(AssertSqlSafe(explained), arguments).persistent(false).fetch_one(db).await.expect("a plan");
    let mut plan = Plan::default();
    plan.note(&explained[0]["Plan"]);
    plan
}

fn query(filter: &Value, after: Option<Place>) -> Query {
    let find = Find::read(filter.to_string().as_bytes()).expect("a filter");
    Query { filter: find.filter, sort: find.sort.unwrap_or_else(Sort::by_id), after, limit: 100 }
}

/// 2 000 documents of the app in two collections, beside 20 000 of another one that look the same.
async fn fill(db: &mut PgConnection, app: &str, other: &str) {
    for (app, rows) in [(app, 2_000), (other, 20_000)] {
        run(
            db,
            &format!(
                r#"INSERT INTO documents (app_id, collection, id, data, bytes, revision, created_at, updated_at)
                   SELECT '{app}', CASE n % 2 WHEN 0 THEN 'orders' ELSE 'people' END, 'd' || n,
                          jsonb_build_object('status', CASE n % 50 WHEN 0 THEN 'open' ELSE 'closed' END, 'total', n % 97,
                                             'email', n || '@example.com', 'tags', jsonb_build_array('t' || n % 40, 'all'),
                                             'address', jsonb_build_object('city', 'c' || n % 100)),
                          150, 1, now(), now()
                   FROM generate_series(1, {rows}) AS n"#
            ),
        )
        .await;
    }
    run(db, "ANALYZE documents").await;
}

#[tokio::test]
async fn common_filters_use_the_indexes_and_never_read_other_apps() {
    let node = TestApp::start().await;
    let (app, other) = (node.create_app("app").await, node.create_app("other").await);
    let mut db = node.database.connect().await;
    fill(&mut db, &app.id, &other.id).await;
    let ground = Ground { app: app.id.parse::<AppId>().expect("an id"), collection: "orders" };

    // Equality: the index of content.
    for filter in [
        json!({ "email": "20@example.com" }),
        json!({ "status": "open" }),
        json!({ "tags": "t2" }),
        json!({ "address.city": "c4" }),
        json!({ "status": "open", "total": { "$gt": 50 } }),
        json!({ "email": { "$in": ["20@example.com", "40@example.com", "60@example.com"] } }),
        json!({ "$or": [{ "email": "20@example.com" }, { "address.city": "c4" }] }),
        json!({ "email": "20@example.com", "$not": { "status": "open" } }),
        json!({ "status": "open", "$sort": "-total" }),
    ] {
        let page = plan(&mut db, search::page_statement(ground, &query(&filter, None), 101, 1 << 20)).await;
        assert!(page.reads.contains(GIN) && !page.reads.contains("Seq Scan"), "{filter}: {page:?}");
        let count = plan(&mut db, search::count_statement(ground, &query(&filter, None).filter)).await;
        assert!(count.reads.contains(GIN) && !count.reads.contains("Seq Scan"), "{filter}: {count:?}");
    }

    // Everything else: the collection's range of the primary key.
    for filter in [
        json!({ "total": { "$gt": 90 } }),
        json!({ "status": { "$ne": "closed" } }),
        json!({ "status": null }),
        json!({ "status": { "$exists": false } }),
        json!({ "tags.0": "t2" }),
        json!({ "$sort": "-total" }),
        json!({ "$or": [{ "email": "20@example.com" }, { "total": { "$gt": 90 } }] }),
    ] {
        let page = plan(&mut db, search::page_statement(ground, &query(&filter, None), 101, 1 << 20)).await;
        assert_eq!(page.reads(), [PKEY], "{filter}: {page:?}");
        let count = plan(&mut db, search::count_statement(ground, &query(&filter, None).filter)).await;
        assert_eq!(count.reads(), [PKEY], "{filter}: {count:?}");
    }
}

#[tokio::test]
async fn a_list_goes_along_the_primary_key_and_sorts_nothing() {
    let node = TestApp::start().await;
    let (app, other) = (node.create_app("app").await, node.create_app("other").await);
    let mut db = node.database.connect().await;
    fill(&mut db, &app.id, &other.id).await;
    let ground = Ground { app: app.id.parse::<AppId>().expect("an id"), collection: "orders" };
    let after = Place { keys: Vec::<KeyPlace>::new(), id: "d500".into() };
    for (filter, after) in [
        (json!({}), None),
        (json!({}), Some(after.clone())),
        (json!({ "$sort": "-$id" }), None),
        (json!({ "$sort": "-$id" }), Some(after)),
    ] {
        let page = plan(&mut db, search::page_statement(ground, &query(&filter, after), 101, 1 << 20)).await;
        assert_eq!(page.reads(), [PKEY], "{filter}: {page:?}");
        assert!(!page.sorts, "{filter}: {page:?}");
    }
}
