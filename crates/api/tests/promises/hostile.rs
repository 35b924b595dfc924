//! Bad input of any kind: generated for each attribute of each kind, for each filter, for paths and
//! bodies. Always a 4xx (or a success where it is valid after all), which names the attribute and
//! shows nothing from inside; and the database is sound afterwards.

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::Request;
use http_body_util::Full;
use model::kind::Kind;
use serde_json::{Value as Json, json};
use testkit::database::Engine;
use testkit::server::{HOST, TestServer, Who};

use crate::cloud::{Cloud, OWNER, decent, made, serve, sound};

testkit::on_each_engine!(
    no_value_of_any_attribute_breaks_anything,
    no_filter_breaks_anything,
    no_path_and_no_body_breaks_anything,
    more_values_than_a_statement_takes_are_refused_by_name,
);

async fn more_values_than_a_statement_takes_are_refused_by_name(engine: Engine) {
    serve(engine, async |server| {
        let admin = &Who::admin();
        let ids: Vec<String> = (0..40_000).map(|_| uuid::Uuid::new_v4().to_string()).collect();
        // A path is no longer than 64 KiB, so that only a body can name so many.
        let network = made(server, admin, "networks", "network", json!({})).await;
        let body = json!({"port": {"network_id": network, "security_groups": ids}});
        let reply = server.call(admin, "POST", "/v2.0/ports", Some(body)).await;
        assert_eq!(reply.status, 400, "{}", reply.text);
        assert!(reply.text.contains("security_groups"), "{}", reply.text);
        sound(server).await;
    })
    .await;
}

/// Requests at a time.
const AT_ONCE: usize = 16;

/// What no attribute expects, or not of this kind.
fn values() -> Vec<Json> {
    let deep = (0..100).fold(json!(1), |inner, _| json!([inner]));
    let deep_object = (0..100).fold(json!(1), |inner, _| json!({"a": inner}));
    vec![
        Json::Null,
        json!(true),
        json!(-1),
        json!(0),
        json!(1.5),
        json!(i64::MIN),
        json!(u64::MAX),
        json!(1e300),
        json!([]),
        json!({}),
        json!([null]),
        json!([{}]),
        json!([[]]),
        json!([{"subnet_id": {}, "ip_address": []}]),
        json!({"a": {"b": [1, null]}}),
        json!(""),
        json!(" "),
        json!("x".repeat(256)),
        json!("y".repeat(70_000)),
        json!("a\u{0}b"),
        json!("a\r\nb\u{1b}[31m"),
        json!("\u{202e}\u{200b}\u{feff}\u{1f468}\u{200d}\u{1f469}"),
        json!("'; DROP TABLE ports; --"),
        json!("\" OR 1=1 -- ? $1 :project %s"),
        json!("../../etc/passwd"),
        json!("00000000-0000-0000-0000-000000000000"),
        json!(["00000000-0000-0000-0000-000000000000"]),
        json!("999999999999999999999999999999"),
        json!("::ffff:1.2.3.4/129"),
        json!((0..2000).map(|number| json!(number.to_string())).collect::<Vec<_>>()),
        deep,
        deep_object,
    ]
}

/// The start of a value, for messages of tests.
fn short(json: &Json) -> String {
    json.to_string().chars().take(80).collect()
}

async fn no_value_of_any_attribute_breaks_anything(engine: Engine) {
    serve(engine, async |server| {
        let cloud = &Cloud::new(server).await;
        let values = &values();
        let mut questions = Vec::new();
        for kind in model::KINDS.iter().filter(|kind| kind.verbs().create) {
            for attr in kind.table().attrs {
                questions.extend(values.iter().map(|value| (*kind, attr, value)));
            }
        }
        let wrong: Vec<String> = stream::iter(questions)
            .map(|(kind, attr, value)| put_in(server, cloud, kind, attr, value))
            .buffer_unordered(AT_ONCE)
            .concat()
            .await;
        assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
        sound(server).await;
    })
    .await;
}

/// Sends one value for one attribute, to be created and, where there is one, to be updated.
async fn put_in(
    server: &TestServer,
    cloud: &Cloud,
    kind: &'static dyn Kind,
    attr: &'static wire::attr::Attr,
    value: &Json,
) -> Vec<String> {
    let table = kind.table();
    let who = &Who::new(OWNER, "admin,manager,member,reader");
    let mut whole = cloud.body(table.many);
    whole[attr.wire] = value.clone();
    let path = format!("/v2.0/{}", kind.path());
    let mut asks = vec![("POST", path.clone(), whole, attr.verbs.post)];
    if kind.verbs().update {
        let id = &cloud.ids[table.many];
        asks.push(("PUT", format!("{path}/{id}"), json!({attr.wire: value}), attr.verbs.put));
    }
    let mut wrong = Vec::new();
    for (method, path, ask, allowed) in asks {
        let reply = server.call(who, method, &path, Some(json!({table.one: ask}))).await;
        let label = format!("{method} {path} {} = {}", attr.wire, short(value));
        if !(200..500).contains(&reply.status) {
            wrong.push(format!("{label}: {} {}", reply.status, reply.text));
            continue;
        }
        decent(&reply, &label);
        let refused = !allowed || (attr.parse)(value).is_err();
        // Of what is refused before it is looked into, only the whole can be said.
        let whole = reply.text.contains("nests lists") || reply.text.contains("control");
        if refused && reply.status >= 400 && !whole && !reply.text.contains(attr.wire) {
            wrong.push(format!("{label}: does not name it: {}", reply.text));
        }
        if reply.status >= 400 && reply.text.len() > 4000 {
            wrong.push(format!("{label}: says {} bytes", reply.text.len()));
        }
        if method == "POST" && reply.status == 201 {
            let id = reply.json[table.one]["id"].as_str().unwrap_or_default();
            let gone = server.call(who, "DELETE", &format!("{path}/{id}"), None).await;
            decent(&gone, &label);
        }
    }
    wrong
}

/// A query, written so that every byte arrives.
fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

async fn no_filter_breaks_anything(engine: Engine) {
    serve(engine, async |server| {
        Cloud::new(server).await;
        let texts = [
            "",
            " ",
            "null",
            "\0",
            "'; DROP TABLE ports; --",
            "%",
            "_",
            "\\",
            "a=b",
            "a=b=c",
            "ip_address",
            "ip_address=",
            "ip_address=999.9.9.9",
            "subnet_id=x",
            "gte:",
            "lt:zz",
            "18446744073709551616",
            "-9223372036854775809",
            "1e9",
            "\u{202e}",
            "{}",
            "[",
        ];
        let mut paths = Vec::new();
        for kind in model::KINDS {
            let names = kind.table().attrs.iter().map(|attr| attr.wire).chain([
                "limit",
                "marker",
                "page_reverse",
                "sort_key",
                "sort_dir",
                "fields",
                "tags",
                "tags-any",
                "not-tags",
                "not-tags-any",
                "changed_since",
                "no_such_thing",
                "",
            ]);
            for name in names {
                paths.extend(texts.iter().map(|text| {
                    format!("/v2.0/{}?{}={}", kind.path(), escaped(name), escaped(text))
                }));
            }
            let many = vec!["id=00000000-0000-0000-0000-000000000000"; 1000].join("&");
            paths.push(format!("/v2.0/{}?{many}", kind.path()));
        }
        paths.push("/v2.0/ports?name=%ff%fe".into());
        paths.push("/v2.0/ports?name=%zz&%=&&&=".into());
        let wrong: Vec<String> = stream::iter(paths)
            .map(|path| async move {
                let reply = server.call(&Who::admin(), "GET", &path, None).await;
                if !(200..500).contains(&reply.status) {
                    return Some(format!(
                        "{} {}: {}",
                        reply.status,
                        &path[..path.len().min(200)],
                        reply.text
                    ));
                }
                decent(&reply, &path);
                None
            })
            .buffer_unordered(AT_ONCE)
            .filter_map(async |wrong| wrong)
            .collect()
            .await;
        assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    })
    .await;
}

async fn no_path_and_no_body_breaks_anything(engine: Engine) {
    serve(engine, async |server| {
        let cloud = Cloud::new(server).await;
        let port = &cloud.ids["ports"];
        let long = "x".repeat(8000);
        for path in [
            "//",
            "/v2.0//ports",
            "/v2.0/ports/%00",
            "/v2.0/ports/%ff",
            "/v2.0/ports/..%2f..%2fetc",
            "/v2.0/ports/'%20OR%201=1",
            "/v2.1/ports",
            "/v2.0/ports/x/y/z/w",
            "/v2.0/extensions/%00",
            "/v2.0/quotas/%00",
            "/v2.0/quotas/a/b",
            "/v2.0/nothing",
            "/v2.0/ports/%",
            "/v2.0/.json",
            &format!("/v2.0/ports/{long}"),
            &format!("/v2.0/ports/{port}/tags/%00"),
            &format!("/v2.0/ports/{port}/tags/{long}"),
            &format!("/v2.0/ports/{port}/bindings/%00"),
            &format!("/v2.0/ports/{port}/bindings/{long}"),
            &format!("/v2.0/quotas/{long}"),
            &format!("/v2.0/ports/{port}/bindings//activate"),
        ] {
            for method in ["GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "TRACE"] {
                let body = matches!(method, "PUT" | "POST").then(|| json!({}));
                let reply = server.call(&Who::admin(), method, path, body).await;
                decent(&reply, &format!("{method} {path}"));
            }
        }
        bodies(server, port).await;
        sound(server).await;
    })
    .await;
}

async fn bodies(server: &TestServer, port: &str) {
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let deep_port = format!("{{\"port\": {deep}}}");
    let bulk = format!("{{\"ports\": [{}]}}", vec!["{}"; 5000].join(","));
    let paths = [
        "/v2.0/ports".to_owned(),
        format!("/v2.0/ports/{port}"),
        format!("/v2.0/ports/{port}/tags"),
        format!("/v2.0/ports/{port}/bindings"),
        format!("/v2.0/quotas/{OWNER}"),
    ];
    for text in [
        "",
        "null",
        "[]",
        "1",
        "\"\"",
        "{",
        "{}",
        "{\"port\": null}",
        "{\"port\": []}",
        "{\"port\": 1}",
        "{\"ports\": {}}",
        "{\"ports\": []}",
        "{\"ports\": [null, 1]}",
        "{\"port\": {}, \"ports\": []}",
        "{\"port\": {\"name\": \"\\ud800\"}}",
        "{\"a\": NaN}",
        "{\"tags\": [1, null, {}]}",
        "{\"tags\": null}",
        "{\"binding\": {\"host\": []}}",
        "{\"quota\": {\"port\": \"x\", \"nothing\": 1}}",
        "{\"quota\": {\"port\": 1e99}}",
        "{\"port\": {\"\\u0000\": 1, \"'; --\": 2}}",
        &deep,
        &deep_port,
        &bulk,
    ] {
        for path in &paths {
            let method =
                if path.ends_with("ports") || path.ends_with("bindings") { "POST" } else { "PUT" };
            let short: String = text.chars().take(60).collect();
            let request = Request::builder()
                .method(method)
                .uri(path)
                .header("host", HOST)
                .header("content-type", "application/json")
                .body(Full::from(Bytes::from(text.to_owned())))
                .unwrap();
            decent(&server.send(request).await, &format!("{method} {path} {short}"));
        }
    }
}
