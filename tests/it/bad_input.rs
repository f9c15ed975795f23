//! What the control plane refuses, and how it says so.

use std::collections::HashSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::client::{PASSWORD, USERNAME, send};
use crate::support::{Client, TestApp};

const NOBODY: &str = "0190aaaa-bbbb-7ccc-8ddd-eeeeffff0000";

/// Every operation with its path made concrete by ids that name nothing.
fn operations() -> Vec<(Method, String, bool)> {
    picloud::api::endpoints()
        .into_iter()
        .map(|(method, path, rule)| {
            let path: Vec<_> = path
                .split('/')
                .map(|part| {
                    if part == "{number}" {
                        "1"
                    } else if part.starts_with('{') {
                        NOBODY
                    } else {
                        part
                    }
                })
                .collect();
            (method, path.join("/"), rule == picloud::model::access::Rule::Public)
        })
        .collect()
}

async fn raw(app: &Client, method: Method, path: &str, body: &str, content_type: &str) -> crate::support::Reply {
    send(app.request(method, path).bearer_auth(&app.token).header("content-type", content_type).body(body.to_owned())).await
}

#[tokio::test]
async fn a_syntax_error_is_422_with_line_and_column() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    for (source, line, column) in
        [("let x = ;", 1, 9), ("let a = 1;\nlet b = 2 +;\n", 2, 12), ("fn f( {", 1, 7), ("\n\n  }", 3, 3), ("\"open", 1, 1)]
    {
        let refused = shop.try_upload("broken", source, json!({})).await.fails(422, "syntax_error");
        let details = refused.details();
        assert_eq!(details["line"], line, "{source:?}: {details}");
        assert!(details["column"].as_u64().is_some_and(|got| got.abs_diff(column) <= 1), "{source:?}: {details}");
        assert!(details["message"].as_str().is_some_and(|message| !message.is_empty()), "{details}");
    }
    let listed = app.get("/admin/scripts").await.expect(200).json();
    assert_eq!(listed["items"], json!([]), "a refused upload stores nothing");
}

#[tokio::test]
async fn a_syntax_error_in_a_new_version_leaves_the_old_one_answering() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let script = shop.deploy("/v", "1").await;
    app.put(&format!("/admin/scripts/{}", script.id), json!({ "source": "let" })).await.fails(422, "syntax_error");
    assert_eq!(shop.get("/v").await.expect(200).json(), 1);
    assert_eq!(app.get(&format!("/admin/scripts/{}", script.id)).await.expect(200).json()["version"], 1);
}

#[tokio::test]
async fn unknown_fields_are_422_and_all_named() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let script = shop.upload("s", "1").await;
    for (method, path, body, unknown) in [
        (Method::POST, "/admin/apps".to_owned(), json!({ "slug": "a", "name": "b", "naem": 1, "zz": 2 }), vec!["naem", "zz"]),
        (Method::PATCH, "/admin/apps/shop".to_owned(), json!({ "nme": "x" }), vec!["nme"]),
        (
            Method::POST,
            "/admin/scripts".to_owned(),
            json!({ "app_id": shop.id, "name": "n", "source": "1", "sources": "2" }),
            vec!["sources"],
        ),
        (
            Method::POST,
            "/admin/scripts".to_owned(),
            json!({ "app_id": shop.id, "name": "n", "source": "1", "limits": { "feul": 5 } }),
            vec!["limits.feul"],
        ),
        (Method::PUT, format!("/admin/scripts/{}", script.id), json!({ "source": "1", "name": "renamed" }), vec!["name"]),
        (
            Method::POST,
            format!("/admin/scripts/{}/routes", script.id),
            json!({ "path": "/a", "methods": ["GET"] }),
            vec!["methods"],
        ),
        (
            Method::POST,
            "/admin/auth/login".to_owned(),
            json!({ "username": USERNAME, "password": PASSWORD, "remember": true }),
            vec!["remember"],
        ),
    ] {
        let refused = app.api(method, &path, Some(&body)).await.fails(422, "invalid");
        for field in unknown {
            assert!(refused.message().contains(field), "{path}: {}", refused.text());
            assert!(
                refused.details()["unknown_fields"].as_array().expect("fields").contains(&json!(field)),
                "{path}: {}",
                refused.text()
            );
        }
    }
}

#[tokio::test]
async fn missing_and_mistyped_fields_are_422_and_named() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    for (path, body, field) in [
        ("/admin/apps", json!({ "name": "b" }), "slug"),
        ("/admin/apps", json!({ "slug": 7, "name": "b" }), "slug"),
        ("/admin/scripts", json!({ "app_id": shop.id, "name": "n" }), "source"),
        ("/admin/scripts", json!({ "app_id": "not-an-id", "name": "n", "source": "1" }), "app_id"),
        ("/admin/scripts", json!({ "app_id": shop.id, "name": "n", "source": "1", "kind": "lambda" }), "kind"),
        ("/admin/scripts", json!({ "app_id": shop.id, "name": "Not A Name", "source": "1" }), "name"),
        ("/admin/scripts", json!({ "app_id": shop.id, "name": "", "source": "1" }), "name"),
        ("/admin/apps", json!({ "slug": "No Slug", "name": "b" }), "slug"),
        ("/admin/apps", json!({ "slug": "a", "name": " " }), "name"),
    ] {
        let refused = app.post(path, body.clone()).await.fails(422, "invalid");
        assert!(refused.text().contains(field), "{body}: {}", refused.text());
    }
}

#[tokio::test]
async fn malformed_json_is_400_and_says_where() {
    let app = TestApp::start().await;
    for body in ["", "{", "{\"slug\":}", "{} {}", "nope", "{'slug':'a'}", "\u{feff}{}", "{\"slug\":\"\\ud800\"}"] {
        let refused = raw(&app, Method::POST, "/admin/apps", body, "application/json").await;
        assert_eq!(refused.status, 400, "{body:?}: {}", refused.text());
        let refused = refused.fails(400, "malformed_json");
        assert!(refused.details()["line"].is_u64() && refused.details()["column"].is_u64(), "{body:?}: {}", refused.text());
    }
    for body in ["[]", "7", "null", "\"{}\""] {
        raw(&app, Method::POST, "/admin/apps", body, "application/json").await.fails(422, "invalid");
    }
}

#[tokio::test]
async fn another_content_type_is_415() {
    let app = TestApp::start().await;
    for content_type in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
        raw(&app, Method::POST, "/admin/apps", "{}", content_type).await.fails(415, "unsupported_media_type");
    }
}

#[tokio::test]
async fn a_deep_json_body_is_refused_and_harms_nobody() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let deep = format!("{{\"slug\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let refused = raw(&app, Method::POST, "/admin/apps", &deep, "application/json").await;
    assert!([400, 422].contains(&refused.status), "{}", refused.text());
    shop.deploy("/echo", "type_of(ctx.request.body)").await;
    let reply = shop.post("/echo", &"[".repeat(500_000), "application/json").await.expect(200);
    assert_eq!(reply.json(), "string", "what is not JSON stays text");
}

#[tokio::test]
async fn a_wrong_method_is_405_with_allow() {
    let app = TestApp::start().await;
    let known: HashSet<_> = operations().into_iter().map(|(method, path, _)| (method, path)).collect();
    let paths: HashSet<_> = known.iter().map(|(_, path)| path.clone()).collect();
    for path in paths {
        // One path may stand under two patterns: only what no pattern serves is wrong.
        if path.ends_with("/check") {
            continue;
        }
        for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            if known.contains(&(method.clone(), path.clone())) {
                continue;
            }
            let refused = send(app.http.request(method.clone(), format!("{}{path}", app.admin)).bearer_auth(&app.token))
                .await
                .fails(405, "method_not_allowed");
            let allow: HashSet<_> =
                refused.header("allow").expect("Allow").split(',').map(|method| method.trim().to_owned()).collect();
            let expected: HashSet<_> =
                known.iter().filter(|(_, other)| *other == path).map(|(method, _)| method.to_string()).collect();
            assert!(expected.is_subset(&allow), "{method} {path}: {allow:?}");
        }
    }
}

#[tokio::test]
async fn nothing_but_the_public_endpoints_answers_strangers() {
    let app = TestApp::start().await;
    for (method, path, public) in operations() {
        let url = format!("{}{path}", app.admin);
        for token in [None, Some("pic_nonsense"), Some("")] {
            let mut request = app.http.request(method.clone(), &url).header("content-type", "application/json").body("{}");
            if let Some(token) = token {
                request = request.bearer_auth(token);
            }
            let reply = send(request).await;
            if public {
                assert_ne!(reply.status, 401, "{method} {path}");
            } else {
                let reply = reply.fails(401, "unauthenticated");
                assert!(reply.header("www-authenticate").is_some_and(|scheme| scheme.starts_with("Bearer")), "{method} {path}");
            }
        }
    }
}

#[tokio::test]
async fn the_gate_stands_before_the_body() {
    let app = TestApp::start().await;
    for body in ["{", &"x".repeat(3 << 20)] {
        let request = app.request(Method::POST, "/admin/apps").header("content-type", "application/json").body(body.to_owned());
        send(request).await.fails(401, "unauthenticated");
    }
}

#[tokio::test]
async fn ids_that_name_nothing_are_404() {
    let app = TestApp::start().await;
    let bodies = |path: &str| match path {
        path if path.ends_with("/routes") => json!({ "path": "/a" }),
        path if path.starts_with("/api/v1/admin/scripts/") => json!({ "source": "1" }),
        path if path.contains("/secrets/") => json!({ "value": "1" }),
        _ => json!({}),
    };
    let mut asked = 0;
    for (method, path, _) in operations().into_iter().filter(|(_, path, _)| path.contains(NOBODY)) {
        for id in [NOBODY, "not-an-id", "7", "%00", "..%2f..", "' OR 1=1 --"] {
            let url = format!("{}{}", app.admin, path.replace(NOBODY, &id.replace(' ', "%20").replace('\'', "%27")));
            let mut request = app.http.request(method.clone(), &url).bearer_auth(&app.token);
            if method != Method::GET && method != Method::DELETE {
                request = request.json(&bodies(&path));
            }
            let reply = send(request).await;
            assert_eq!(reply.status, 404, "{method} {url}: {}", reply.text());
            reply.fails(404, "not_found");
            asked += 1;
        }
    }
    assert!(asked > 50, "{asked}");
}

#[tokio::test]
async fn a_route_under_another_script_is_404() {
    let app = TestApp::start().await;
    let (one, two) = (app.create_app("one").await, app.create_app("two").await);
    let (mine, theirs) = (one.upload("s", "1").await, two.upload("s", "1").await);
    let route = two.route(&theirs, json!({ "path": "/x" })).await;
    app.delete(&format!("/admin/scripts/{}/routes/{}", mine.id, route["id"].as_str().expect("an id")))
        .await
        .fails(404, "not_found");
    two.get("/x").await.expect(200);
    let missing = json!({ "app_id": NOBODY, "name": "n", "source": "1" });
    let refused = app.post("/admin/scripts", missing).await;
    assert!([404, 422].contains(&refused.status), "{}", refused.text());
}

#[tokio::test]
async fn duplicate_names_are_409_and_name_the_other() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let taken = app.post("/admin/apps", json!({ "slug": "shop", "name": "other" })).await.fails(409, "conflict");
    assert!(taken.details().to_string().contains(&shop.id), "{}", taken.text());
    assert!(taken.message().contains("shop"), "{}", taken.text());

    let script = shop.upload("twice", "1").await;
    let taken = shop.try_upload("twice", "2", json!({})).await.fails(409, "conflict");
    assert!(taken.details().to_string().contains(&script.id), "{}", taken.text());
    assert!(taken.message().contains("twice"), "{}", taken.text());

    let other = app.create_app("other").await;
    other.upload("twice", "1").await;
    app.patch("/admin/apps/other", json!({ "slug": "shop" })).await.fails(409, "conflict");
}

#[tokio::test]
async fn of_many_equal_names_at_once_one_is_made() {
    let app = TestApp::start().await;
    let tries: Vec<_> = (0..8)
        .map(|_| {
            let client = app.client.clone();
            tokio::spawn(async move { client.post("/admin/apps", json!({ "slug": "same", "name": "x" })).await.status })
        })
        .collect();
    let mut statuses = Vec::new();
    for attempt in tries {
        statuses.push(attempt.await.expect("a call"));
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [vec![201], vec![409; 7]].concat());
}

#[tokio::test]
async fn a_write_with_another_states_tag_is_412() {
    let app = TestApp::start().await;
    let shop = app.create_app("shop").await;
    let script = shop.upload("s", "1").await;
    for (path, change) in [
        ("/admin/apps/shop".to_owned(), json!({ "name": "changed" })),
        (format!("/admin/scripts/{}", script.id), json!({ "source": "2" })),
    ] {
        let method = if path.contains("scripts") { Method::PUT } else { Method::PATCH };
        let write = async |tag: &str| {
            send(app.request(method.clone(), &path).bearer_auth(&app.token).header("if-match", tag).json(&change)).await
        };
        let read = app.get(&path).await.expect(200);
        let tag = read.header("etag").expect("an ETag").to_owned();
        assert!(tag.starts_with('"') && tag.ends_with('"'), "{tag}");
        write("\"another\"").await.fails(412, "precondition_failed");
        let written = write(&tag).await.expect(200);
        let new = written.header("etag").expect("an ETag").to_owned();
        assert_ne!(new, tag, "{path}");
        write(&tag).await.fails(412, "precondition_failed");
        assert_eq!(app.get(&path).await.header("etag"), Some(new.as_str()), "{path}");
        write("*").await.expect(200);
    }
}

#[tokio::test]
async fn wrong_passwords_and_unknown_users_look_the_same() {
    let app = TestApp::start().await;
    let login = async |username: &str, password: &str| {
        app.anonymous(Method::POST, "/admin/auth/login", Some(&json!({ "username": username, "password": password }))).await
    };
    let wrong = login(USERNAME, "not the password at all").await.fails(401, "unauthenticated");
    let unknown = login("nobody", PASSWORD).await.fails(401, "unauthenticated");
    let text = |reply: &crate::support::Reply| {
        let mut body = reply.json();
        body["error"]["request_id"] = Value::Null;
        body
    };
    assert_eq!(text(&wrong), text(&unknown));
    login(USERNAME, "").await.expect(401);
    let envelope = json!({ "username": USERNAME, "password": "" }).to_string().len();
    let most = picloud::limits::PUBLIC_BODY_BYTES_MAX - envelope;
    login(USERNAME, &"x".repeat(most)).await.fails(401, "unauthenticated");
    login(USERNAME, &"x".repeat(most + 1)).await.fails(413, "request_too_large");
    login("\u{0}", PASSWORD).await.fails(401, "unauthenticated");
}

#[tokio::test]
async fn a_session_ends_with_logout() {
    let app = TestApp::start().await;
    let me = app.get("/admin/auth/me").await.expect(200).json();
    assert_eq!((&me["username"], &me["role"]), (&json!(USERNAME), &json!("owner")));
    let mut second = app.client.clone();
    let login = second.login(USERNAME, PASSWORD).await;
    assert!(
        chrono::DateTime::parse_from_rfc3339(login["expires_at"].as_str().expect("a time")).expect("RFC 3339") > app.clock.now()
    );
    assert_eq!(login["user"]["username"], USERNAME);
    second.api(Method::POST, "/admin/auth/logout", None).await.expect(204);
    second.get("/admin/auth/me").await.fails(401, "unauthenticated");
    app.get("/admin/auth/me").await.expect(200);
}

#[tokio::test]
async fn a_session_cookie_writes_only_from_its_own_origin() {
    let app = TestApp::start().await;
    let reply = app
        .anonymous(Method::POST, "/admin/auth/login", Some(&json!({ "username": USERNAME, "password": PASSWORD })))
        .await
        .expect(200);
    let cookie = reply.header("set-cookie").expect("a cookie").to_owned();
    assert!(["HttpOnly", "SameSite=Strict", "Path=/"].iter().all(|part| cookie.contains(part)), "{cookie}");
    let pair = cookie.split(';').next().expect("a pair").to_owned();
    let write = async |origin: Option<&str>| {
        let mut request =
            app.request(Method::POST, "/admin/apps").header("cookie", &pair).json(&json!({ "slug": "by-cookie", "name": "x" }));
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        send(request).await
    };
    send(app.request(Method::GET, "/admin/auth/me").header("cookie", &pair)).await.expect(200);
    write(None).await.fails(403, "cross_origin");
    write(Some("http://hello.localhost:8080")).await.fails(403, "cross_origin");
    write(Some(&app.admin.clone())).await.expect(201);
}

#[tokio::test]
async fn unknown_query_parameters_are_422_and_named() {
    let app = TestApp::start().await;
    let refused = app.get("/admin/scripts?ap=shop&limit=5").await.fails(422, "invalid");
    assert!(refused.message().contains("ap"), "{}", refused.text());
    app.get("/admin/apps?cursor=zzz").await.fails(422, "invalid");
    app.get("/admin/scripts?app=no-such-app").await.fails(404, "not_found");
}

#[tokio::test]
async fn an_unknown_path_of_the_api_is_404_in_the_envelope() {
    let app = TestApp::start().await;
    for path in ["/nothing", "/admin/nothing", "/admin/scripts/", "/admin/apps/a/b/c"] {
        app.get(path).await.fails(404, "not_found");
    }
}
