//! `nucleon serve`: puts everything together, starts it, and stops it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use anyhow::Context as _;
use api::server::Server;
use hyper::service::service_fn;
use identity::caller::admin_roles;
use identity::keystone::Keystone;
use identity::keystone::client::Client;
use identity::token::{Grant, Tokens};
use identity::{Identity, Secret};
use jiff::Timestamp;
use model::backend::{Backend, NoBackend};
use model::kind::World;
use model::settings::Settings;
use nova::endpoint::Endpoint;
use nova::teller::{Counters, Teller};
use policy::enforcer::Enforcer;
use secrecy::ExposeSecret as _;
use sql::Db;
use tokio::signal::unix::{SignalKind, signal};
use wire::ctx::Ctx;

use crate::config::{Auth, ListenOptions, PolicyOptions, ServeOptions};
use crate::front::Front;
use crate::listen::Listener;
use crate::metrics::{self, Metrics};
use crate::plane::Plane;
use crate::say::say;
use crate::storage::Storage;
use crate::tls::{Files, Tls};
use crate::{command, duty, log, sweep};

/// Who the administrator's token belongs to, and the project that its requests are for.
const ADMIN: &str = "admin";

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// What is configured cannot be had.
pub async fn serve(options: ServeOptions) -> anyhow::Result<()> {
    options.check()?;
    log::start(&options.log)?;
    metrics::count_panics();
    let rules = rules(&options.policy)?;
    let tls = tls(&options.listen)?;
    // Before anything is made: a token that is not shown now is never shown.
    let connections = usize::try_from(options.listen.connections_max)?;
    let listener = Listener::open(options.listen.listen, tls.clone(), connections)?;
    let storage = Storage::of(&options.storage)?;
    let db = storage.open().await?;
    db.migrate().await?;
    let (identity, new_token) = identity(&options, &storage, &db).await?;
    let told = teller(&options, &db)?;
    let settings = Settings {
        notify_nova: told.is_some(),
        metadata_ports: options.ovn.remotes().is_some() && options.ovn.hosts.ovn_metadata_enabled,
        ..options.network.settings()
    };
    let (backend, kept) = backend(&options, &settings, &db);
    let server = Arc::new(Server {
        world: World { db, settings, backend },
        rules,
        identity,
        body_limit: usize::try_from(options.listen.body_limit)?,
    });
    let front = Arc::new(Front {
        metrics: Metrics::new(server.clone(), told, kept.as_ref()),
        server,
        metrics_public: options.listen.metrics_public,
        log_requests: options.log.log_requests,
    });
    let url = url(listener.address()?, tls.is_some());
    // From here on we are heard of, so signals must be heard.
    let stop = stopped()?;
    reload_on_hangup(tls)?;
    if let Some(token) = new_token {
        say(clouds_yaml(&url, &token, &storage));
    } else if options.auth.auth == Auth::Token {
        let path = storage.admin_token_path().display();
        say(format!("# The administrator's token, made at the first start, is in {path}."));
    }
    say(format!("listening on {url}"));
    tracing::info!(%url, auth = ?options.auth.auth, "serving");
    let service = move |peer| {
        let front = front.clone();
        service_fn(move |request| {
            let front = front.clone();
            async move { Ok(front.answer(request, peer).await) }
        })
    };
    if listener.serve(service, stop, options.listen.drain()).await {
        tracing::info!("stopped; nothing was left unanswered");
    } else {
        tracing::warn!("stopped; requests that did not end in time were cut off");
    }
    Ok(())
}

/// The rules in force; what is surely not meant is warned of.
///
/// # Errors
/// The file cannot be read or used.
pub fn rules(options: &PolicyOptions) -> anyhow::Result<Enforcer> {
    let Some(path) = &options.policy_file else { return Ok(Enforcer::neutron(None)?) };
    let named = || format!("cannot use the policy file {}", path.display());
    let text = std::fs::read_to_string(path).with_context(named)?;
    let rules = Enforcer::neutron(Some(&text)).with_context(named)?;
    for warning in rules.warnings() {
        tracing::warn!("policy: {warning}");
    }
    Ok(rules)
}

fn tls(options: &ListenOptions) -> anyhow::Result<Option<Arc<Tls>>> {
    let (Some(certificate), Some(key)) = (&options.tls_cert, &options.tls_key) else {
        return Ok(None);
    };
    let files = Files { certificate: certificate.clone(), key: key.clone(), tls12: options.tls12 };
    Ok(Some(Arc::new(Tls::load(files)?)))
}

/// How callers are known, and the administrator's token if it has just been made.
async fn identity(
    options: &ServeOptions,
    storage: &Storage,
    db: &Db,
) -> anyhow::Result<(Identity, Option<Secret>)> {
    match options.auth.auth {
        Auth::None => Ok((Identity::Header, None)),
        Auth::Keystone => {
            let settings = options.keystone.settings(options.listen.tls12)?;
            Ok((Identity::Keystone(Box::new(Keystone::new(settings)?)), None))
        }
        Auth::Token => {
            let (token, is_new) = storage.admin_token()?;
            let grant = Grant {
                name: "the administrator's, made at the start".into(),
                user_id: ADMIN.into(),
                project_id: ADMIN.into(),
                roles: admin_roles(),
                expires_at: None,
            };
            let tokens = Tokens::new(db.clone());
            tokens.adopt(&Ctx::system(Timestamp::now()), &token, &grant).await?;
            Ok((Identity::Token(tokens), is_new.then_some(token)))
        }
    }
}

/// The data plane, and what is counted of keeping it in line.
fn backend(
    options: &ServeOptions,
    settings: &Settings,
    db: &Db,
) -> (Box<dyn Backend>, Option<ovn::counters::Counters>) {
    let Some(plane) = Plane::connect(&options.ovn, settings) else {
        let db = db.clone();
        duty::keep("clearing marks", move || sweep::run(db.clone()));
        return (Box::new(NoBackend), None);
    };
    let (backend, counters) = plane.keep(&options.ovn, settings, db);
    (backend, Some(counters))
}

/// Begins to tell Nova what happens, if that is asked for; what was told is counted.
fn teller(options: &ServeOptions, db: &Db) -> anyhow::Result<Option<Arc<Counters>>> {
    if !options.nova.notify_nova {
        return Ok(None);
    }
    let keystone = Client::new(options.keystone.settings(options.listen.tls12)?)?;
    let endpoint = Endpoint::new(options.nova.settings())?;
    let teller = Arc::new(Teller::new(db.clone(), keystone, endpoint));
    let counters = teller.counters();
    duty::keep("telling Nova", move || Arc::clone(&teller).run());
    Ok(Some(counters))
}

/// Where a client on this machine finds the server.
fn url(address: SocketAddr, is_encrypted: bool) -> String {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    let scheme = if is_encrypted { "https" } else { "http" };
    format!("{scheme}://{}", SocketAddr::new(ip, address.port()))
}

fn clouds_yaml(url: &str, token: &Secret, storage: &Storage) -> String {
    format!(
        "# For ~/.config/openstack/clouds.yaml; then: openstack --os-cloud nucleon network list\n\
         # The token is in {} too, for you alone.\n\
         clouds:\n  nucleon:\n    auth_type: admin_token\n    auth:\n      endpoint: {url}\n      \
         token: {}\n    identity_api_version: \"3\"\n    \
         identity_endpoint_override: {url}/v3\n",
        storage.admin_token_path().display(),
        token.expose_secret(),
    )
}

/// Ends with the first SIGTERM or SIGINT. The second one ends the process at once.
fn stopped() -> anyhow::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (told, hears) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        tokio::select! { _ = terminate.recv() => {} _ = interrupt.recv() => {} }
        tracing::info!("stopping; what is in flight may end");
        let _ = told.send(());
        tokio::select! { _ = terminate.recv() => {} _ = interrupt.recv() => {} }
        tracing::warn!("stopping at once");
        std::process::exit(command::EXIT_INTERRUPTED);
    });
    Ok(async move {
        let _ = hears.await;
    })
}

/// Reads the certificate again on each SIGHUP.
fn reload_on_hangup(tls: Option<Arc<Tls>>) -> anyhow::Result<()> {
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            match tls.as_ref().map(|tls| tls.reload()) {
                None => tracing::info!("nothing to read again: there is no certificate"),
                Some(Ok(())) => tracing::info!("the certificate was read again"),
                Some(Err(error)) => {
                    tracing::error!("the certificate stays as it was: {error:#}");
                }
            }
        }
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_on_this_machine_find_a_server_that_listens_everywhere() {
        let url = |address: &str| url(address.parse().unwrap(), false);
        assert_eq!(url("0.0.0.0:9696"), "http://127.0.0.1:9696");
        assert_eq!(url("[::]:9696"), "http://[::1]:9696");
        assert_eq!(url("192.0.2.1:80"), "http://192.0.2.1:80");
    }
}
