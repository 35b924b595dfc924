//! One transcript, step by step: sends what was sent, saves what was saved, and says what differs.

use std::collections::HashSet;
use std::path::Path;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use serde_json::{Value as Json, json};
use testkit::server::{HOST, Reply, TestServer, Who, identity};

use crate::compare::{Place, error_only, places, text_matches};
use crate::difference::Found;
use crate::names::{Names, pick};

/// Who asks: name, project, roles as Keystone expands them.
const CALLERS: [(&str, &str, &str); 6] = [
    ("admin", "admin", "admin,manager,member,reader"),
    ("manager", "owner", "manager,member,reader"),
    ("member", "owner", "member,reader"),
    ("reader", "owner", "reader"),
    ("stranger", "stranger", "member,reader"),
    ("service", "service", "service"),
];

/// Every place where the server does not answer as recorded.
pub async fn differences(server: &TestServer, transcript: &str, path: &Path) -> Vec<Found> {
    let text = std::fs::read_to_string(path).unwrap();
    let document: Json = serde_json::from_str(&text).unwrap();
    let mut names = Names::default();
    names.save("base", json!(format!("http://{HOST}")));
    for project in ["admin", "owner", "service", "stranger"] {
        let id = uuid::Uuid::new_v4().simple().to_string();
        names.save(&format!("project.{project}"), json!(id));
    }
    let mut found = Vec::new();
    let mut lost = HashSet::new();
    for (index, step) in document["steps"].as_array().unwrap().iter().enumerate() {
        let said = &step["request"];
        let all = match names.fill(said) {
            // Named once: where it was not saved.
            Err(name) if lost.contains(&name) => Vec::new(),
            Err(name) => panic!("{transcript}:{}: nothing saves {name}", index + 1),
            Ok(request) => {
                let reply = ask(server, step["as"].as_str().unwrap(), &request, &names).await;
                let all = compared(step, &reply, &mut names, &mut lost);
                all.into_iter().map(|place| with_reply(place, &reply)).collect()
            }
        };
        let who = step["as"].as_str().unwrap_or_default();
        found.extend(all.into_iter().map(|Place { path, said: difference }| Found {
            transcript: transcript.to_owned(),
            step: index + 1,
            place: path,
            said: format!(
                "{who} {} {} {}: {difference}",
                said["method"], said["path"], said["body"]
            ),
        }));
    }
    found
}

fn with_reply(place: Place, reply: &Reply) -> Place {
    if reply.status < 400 {
        return place;
    }
    let message = &reply.json["NeutronError"]["message"];
    Place { said: format!("{} (says {message})", place.said), ..place }
}

async fn ask(server: &TestServer, who: &str, request: &Json, names: &Names) -> Reply {
    let text = |key: &str| request[key].as_str();
    let mut headers: Vec<(String, String)> = vec![("host".into(), HOST.into())];
    if let Some((_, project, roles)) = CALLERS.iter().find(|(name, ..)| *name == who) {
        let caller = Who {
            project: names.text(&format!("project.{project}")).unwrap(),
            user: format!("user-of-{who}"),
            roles,
        };
        headers.extend(identity(&caller).map(|(name, value)| (name.into(), value.into())));
    }
    let body =
        text("raw").map(str::to_owned).or_else(|| request.get("body").map(|body| body.to_string()));
    if body.is_some() {
        headers.push(("content-type".into(), "application/json".into()));
    }
    for (name, value) in request["headers"].as_object().into_iter().flatten() {
        let name = name.to_lowercase();
        headers.retain(|(other, _)| *other != name);
        let value = value.as_str().unwrap();
        if value != "(none)" {
            headers.push((name, value.to_owned()));
        }
    }
    let mut built = Request::builder().method(text("method").unwrap()).uri(text("path").unwrap());
    for (name, value) in headers {
        built = built.header(name, value);
    }
    let built = built.body(Full::new(Bytes::from(body.unwrap_or_default()))).unwrap();
    if who == "nobody" { server.send_unknown(built).await } else { server.send(built).await }
}

fn compared(
    step: &Json,
    reply: &Reply,
    names: &mut Names,
    lost: &mut HashSet<String>,
) -> Vec<Place> {
    let recorded = &step["reply"];
    let status = recorded["status"].as_u64().unwrap();
    let body = parsed(reply);
    let mut all = Vec::new();
    for (name, path) in step["save"].as_object().into_iter().flatten() {
        let path = path.as_str().unwrap();
        match pick(&body, path) {
            Some(value) => names.save(name, value.clone()),
            None if names.has(name) => {}
            None => {
                lost.insert(name.clone());
                all.push(Place::new("save", format!("nothing at {path} to save as {name}")));
            }
        }
    }
    if status >= 500 {
        // Where the recorded server broke down, anything but another breakdown is right.
        if reply.status >= 500 {
            all.push(Place::new("status", format!("{} instead of an answer", reply.status)));
        }
        return all;
    }
    if u64::from(reply.status) != status {
        return vec![Place::new("status", format!("status {} instead of {status}", reply.status))];
    }
    all.extend(headers(recorded, reply, names));
    let ordered = recorded["ordered"] == true;
    let empty = Json::Null;
    let wanted = recorded.get("body").unwrap_or(&empty);
    all.extend(places(wanted, &error_only(body), names, "", ordered));
    all
}

fn headers(recorded: &Json, reply: &Reply, names: &Names) -> Vec<Place> {
    let usual = json!({"content-type": "application/json"});
    let wanted = recorded.get("headers").unwrap_or(&usual);
    let mut all = Vec::new();
    for (name, value) in wanted.as_object().into_iter().flatten() {
        let found = reply.headers.get(name).and_then(|value| value.to_str().ok());
        let value = value.as_str().unwrap();
        if !found.is_some_and(|found| text_matches(value, found, names)) {
            let said = format!("header {name}: {found:?} instead of {value:?}");
            all.push(Place::new("header", said));
        }
    }
    all
}

/// The body as it is compared: JSON, a mark for other texts, null for none.
fn parsed(reply: &Reply) -> Json {
    let is_json = reply
        .headers
        .get("content-type")
        .and_then(|value| value.to_str().ok())
        .is_some_and(|kind| kind.contains("json"));
    match serde_json::from_str(&reply.text) {
        Ok(value) if is_json => value,
        _ if reply.text.is_empty() => Json::Null,
        _ => json!({"(text)": true}),
    }
}
