//! Every route × every caller, walked from the tables: what is expected comes from the default
//! rules and from who may see the row, and a row that a caller may not see does not exist for him.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use identity::Secret;
use identity::token::{Grant, Tokens};
use jiff::Timestamp;
use model::kind::Kind;
use policy::check::Target;
use policy::credentials::Credentials;
use policy::enforcer::Enforcer;
use serde_json::{Value as Json, json};
use testkit::database::Engine;
use testkit::server::{HOST, Reply, TestServer, Who};
use wire::ctx::Ctx;

use crate::cloud::{Cloud, OWNER, decent, serve, sound};

testkit::on_each_engine!(every_route_answers_every_caller_as_the_rules_say);

/// A row of a project that shares nothing, as rules see it.
struct Owned<'a>(&'a str);

impl Target for Owned<'_> {
    fn get(&self, key: &str) -> Option<Cow<'_, str>> {
        let last = key.rsplit(':').next().unwrap_or(key);
        match last {
            "project_id" | "tenant_id" => Some(self.0.into()),
            "shared" | "external" | "is_default" => Some("False".into()),
            "object_type" => Some("network".into()),
            _ => None,
        }
    }
}

/// Everybody who may come, by name.
fn callers() -> Vec<(&'static str, Who)> {
    vec![
        ("reader", Who::reader(OWNER)),
        ("member", Who::member(OWNER)),
        ("manager", Who::new(OWNER, "manager,member,reader")),
        ("roleless", Who::new(OWNER, "nobody")),
        ("stranger", Who::member("stranger")),
        ("strange manager", Who::new("stranger", "manager,member,reader")),
        ("strange reader", Who::reader("stranger")),
        ("service", Who::new("services", "service")),
        ("admin", Who::admin()),
    ]
}

/// What the default rules say.
struct Rules(Enforcer);

impl Rules {
    fn allow(&self, who: &Who, rule: &str, project: &str) -> bool {
        let roles: Vec<String> = who.roles.split(',').map(str::to_owned).collect();
        let credentials = Credentials {
            roles: &roles,
            user_id: &who.user,
            project_id: &who.project,
            is_admin: roles.iter().any(|role| role == "admin"),
            ..Credentials::default()
        };
        self.0.check(rule, &credentials, &Owned(project))
    }

    /// The caller sees the owner's row.
    fn see(&self, who: &Who, kind: &dyn Kind) -> bool {
        let all = who.roles.contains("admin") || who.roles.contains("service");
        let his = who.project == OWNER || kind.table().visible == "1=1";
        (all || his) && self.allow(who, &format!("get_{}", kind.table().one), OWNER)
    }

    /// The status of an act on the owner's row, where it is the rules that refuse.
    fn refusal(&self, who: &Who, kind: &dyn Kind, rule: &str) -> Option<u16> {
        if !self.see(who, kind) {
            return Some(404);
        }
        (!self.allow(who, rule, OWNER)).then_some(403)
    }
}

/// One request and the refusal it must meet, if any.
struct Question {
    method: &'static str,
    path: String,
    body: Option<Json>,
    refusal: Option<u16>,
}

/// What can be asked of one row, changing nothing: changes name a revision that never was.
fn questions(rules: &Rules, who: &Who, kind: &dyn Kind, id: &str) -> Vec<Question> {
    let (one, path) = (kind.table().one, format!("/v2.0/{}/{id}", kind.path()));
    let verbs = kind.verbs();
    let mut all = vec![Question {
        method: "GET",
        path: path.clone(),
        body: None,
        refusal: (!rules.see(who, kind)).then_some(404),
    }];
    let mut ask = |method, path: String, body, rule: &str| {
        let refusal = rules.refusal(who, kind, rule);
        all.push(Question { method, path, body, refusal });
    };
    if verbs.update {
        ask("PUT", path.clone(), Some(json!({one: {}})), &format!("update_{one}"));
    }
    if verbs.delete {
        ask("DELETE", path.clone(), None, &format!("delete_{one}"));
    }
    for action in kind.actions() {
        ask("PUT", format!("{path}/{action}"), Some(json!({})), action);
    }
    if kind.table().taggable {
        let rule = |act: &str| match one {
            "segment" => format!("{act}_segments_tags"),
            _ => format!("{act}_{one}:tags"),
        };
        ask("GET", format!("{path}/tags"), None, &rule("get"));
        ask("PUT", format!("{path}/tags"), Some(json!({"tags": ["t"]})), &rule("update"));
        ask("DELETE", format!("{path}/tags"), None, &rule("delete"));
    }
    if one == "port" {
        let binding = json!({"binding": {"host": ""}});
        ask("POST", format!("{path}/bindings"), Some(binding), "create_port_binding");
        let binding = json!({"binding": {"profile": {}}});
        ask("PUT", format!("{path}/bindings/none"), Some(binding), "update_port_binding");
        ask("PUT", format!("{path}/bindings/none/activate"), None, "activate");
        ask("DELETE", format!("{path}/bindings/none"), None, "delete_port_binding");
    }
    all
}

/// Asks, naming a revision that no row has, so that what is permitted changes nothing.
async fn ask(server: &TestServer, who: &Who, question: &Question) -> Reply {
    let mut request = Request::builder()
        .method(question.method)
        .uri(&question.path)
        .header("host", HOST)
        .header("content-type", "application/json")
        .header("if-match", "revision_number=987654");
    for (name, value) in testkit::server::identity(who) {
        request = request.header(name, value);
    }
    let bytes = question.body.as_ref().map(Json::to_string).unwrap_or_default();
    server.send(request.body(Full::from(bytes)).unwrap()).await
}

async fn every_route_answers_every_caller_as_the_rules_say(engine: Engine) {
    serve(engine, async |server| {
        let rules = &Rules(Enforcer::neutron(None).unwrap());
        let tokens = bad_tokens(server).await;
        let cloud = &Cloud::new(server).await;
        let mut wrong = Vec::new();
        for kind in model::KINDS {
            let absent = uuid::Uuid::new_v4().to_string();
            let there = cloud.ids.get(kind.table().many);
            for (name, who) in &callers() {
                if let Some(id) = there {
                    wrong.extend(of_row(server, rules, (name, who), *kind, id, &absent).await);
                }
                if kind.verbs().create {
                    wrong.extend(of_create(server, rules, (name, who), *kind, cloud).await);
                }
            }
            let id = there.unwrap_or(&absent);
            wrong.extend(without_token(server, rules, *kind, id, tokens).await);
        }
        assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
        sound(server).await;
    })
    .await;
}

async fn of_row(
    server: &TestServer,
    rules: &Rules,
    (name, who): (&str, &Who),
    kind: &dyn Kind,
    id: &str,
    absent: &str,
) -> Vec<String> {
    let mut wrong = Vec::new();
    for question in questions(rules, who, kind, id) {
        let Question { method, path, refusal, .. } = &question;
        let reply = ask(server, who, &question).await;
        decent(&reply, path);
        let refused = [401, 403, 404].contains(&reply.status).then_some(reply.status);
        // Below a row that is seen there may be nothing, which is no refusal.
        let below = path.contains("/bindings/none") && reply.status == 404;
        if refused != *refusal && !(below && refusal.is_none()) {
            wrong.push(format!("{name}: {method} {path}: {refusal:?}, not {}", reply.text));
        }
        if *refusal == Some(404) {
            let path = path.replace(id, absent);
            let nothing = ask(server, who, &Question { path, ..question }).await;
            if nothing.text.replace(absent, id) != reply.text {
                wrong.push(format!("{name} can tell {} from {}", reply.text, nothing.text));
            }
        }
    }
    let path = format!("/v2.0/{}", kind.path());
    let listed = server.call(who, "GET", &path, None).await;
    decent(&listed, &path);
    if (listed.status == 200 && listed.text.contains(&format!("\"{id}\""))) != rules.see(who, kind)
        // A network's id is also in what belongs to it.
        && kind.table().many != "network_ip_availabilities"
    {
        wrong.push(format!("{name}: GET {path}: {}", listed.text));
    }
    wrong
}

async fn of_create(
    server: &TestServer,
    rules: &Rules,
    (name, who): (&str, &Who),
    kind: &dyn Kind,
    cloud: &Cloud,
) -> Vec<String> {
    let one = kind.table().one;
    let reply = cloud.create(server, who, kind).await;
    decent(&reply, one);
    // Where the caller has one already, that is no refusal.
    let refused = ![201, 409].contains(&reply.status);
    // What is made belongs to its maker; what it refers to is the owner's.
    let mine = rules.allow(who, &format!("create_{one}"), &who.project);
    let body = cloud.body(kind.table().many).to_string();
    let refers = cloud.ids.values().any(|id| body.contains(id.as_str()));
    let all = who.roles.contains("admin") || who.roles.contains("service");
    let expected = mine && (!refers || who.project == OWNER || all);
    // Somebody else's parent can also refuse by its own rules.
    if refused == expected && !(all && refers && who.project != OWNER) {
        return vec![format!("{name}: POST {one}: {expected}, and {}", reply.text)];
    }
    Vec::new()
}

/// No token, an invented one, and of an administrator's tokens one that has expired and one that
/// was revoked; his valid one opens the door.
async fn bad_tokens(server: &TestServer) -> [&'static str; 4] {
    let (tokens, ctx) = (Tokens::new(server.db().clone()), &Ctx::system(Timestamp::now()));
    let past = ctx.now - Duration::from_secs(1);
    for (token, expires_at) in [("expired", Some(past)), ("revoked", None), ("valid", None)] {
        let grant = Grant {
            name: token.to_owned(),
            user_id: "admin".to_owned(),
            project_id: OWNER.to_owned(),
            roles: Who::admin().roles.split(',').map(str::to_owned).collect(),
            expires_at,
        };
        assert!(tokens.adopt(ctx, &Secret::from(token), &grant).await.unwrap());
    }
    let listed = tokens.list(ctx).await.unwrap();
    let revoked = listed.iter().find(|listed| listed.grant.name == "revoked").unwrap();
    assert!(tokens.revoke(ctx, &revoked.id).await.unwrap());
    let ask = Request::builder().uri("/v2.0/ports").header("x-auth-token", "valid");
    assert_eq!(server.send_unknown(ask.body(Full::default()).unwrap()).await.status, 200);
    ["", "invented", "expired", "revoked"]
}

async fn without_token(
    server: &TestServer,
    rules: &Rules,
    kind: &dyn Kind,
    id: &str,
    tokens: [&str; 4],
) -> Vec<String> {
    let mut wrong = Vec::new();
    let (one, path) = (kind.table().one, format!("/v2.0/{}", kind.path()));
    let mut all: Vec<(&str, String, Option<Json>)> = questions(rules, &Who::admin(), kind, id)
        .into_iter()
        .map(|question| (question.method, question.path, question.body))
        .collect();
    all.push(("GET", path.clone(), None));
    all.push(("POST", path, Some(json!({one: {}}))));
    all.push(("GET", "/v2.0/quotas".into(), None));
    for (method, path, body) in all {
        for token in tokens {
            let bytes: Bytes = body.as_ref().map(Json::to_string).unwrap_or_default().into();
            let request = Request::builder()
                .method(method)
                .uri(&path)
                .header("x-auth-token", token)
                // Who says to be somebody is nobody where tokens are asked for.
                .header("x-roles", "admin")
                .header("content-type", "application/json");
            let reply = server.send_unknown(request.body(Full::from(bytes)).unwrap()).await;
            if reply.status != 401 || reply.text.contains(id) {
                wrong.push(format!("{method} {path} with {token:?}: {}", reply.text));
            }
        }
    }
    wrong
}
