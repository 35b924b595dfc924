//! Asking a Keystone over HTTP: a service token for ourselves, and what it knows of somebody's
//! token. Not here: remembering the answers (`keystone`).

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls_platform_verifier::BuilderVerifierExt;
use secrecy::ExposeSecret;
use serde_json::json;
use tokio::sync::{Mutex, Semaphore};

use super::document::{self, Granted};
use crate::Secret;

/// A reply that is longer than this is none of Keystone's.
const REPLY_BYTES_MAX: usize = 1 << 20;
/// Requests to Keystone at once.
const REQUESTS_MAX: usize = 32;
/// Our own token is renewed this long before it ends.
const RENEW_BEFORE: Duration = Duration::from_secs(60);
/// After a failed log-in nobody tries again for this long.
const PAUSE: Duration = Duration::from_secs(1);

static AUTH_TOKEN: HeaderName = HeaderName::from_static("x-auth-token");
static SUBJECT_TOKEN: HeaderName = HeaderName::from_static("x-subject-token");

/// Which Keystone, and who we are there.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its address, with or without `/v3` at the end.
    pub url: String,
    /// Where callers get their tokens; shown in `WWW-Authenticate`.
    pub public_url: String,
    /// Our user there.
    pub user: String,
    /// The domain of our user, by its name.
    pub user_domain: String,
    /// Our user's password.
    pub password: Secret,
    /// The project in which our user has the role to validate tokens.
    pub project: String,
    /// The domain of that project, by its name.
    pub project_domain: String,
    /// PEM file of the authorities to trust; without one, those of the system.
    pub ca_file: Option<PathBuf>,
    /// TLS 1.2 will do.
    pub tls12: bool,
    /// How long one question may take.
    pub timeout: Duration,
    /// Roles of a service token with which an expired token is accepted, lower case.
    pub service_token_roles: Vec<String>,
    /// A service token must have one of those roles.
    pub service_token_roles_required: bool,
}

/// Our own token.
struct ServiceToken {
    header: HeaderValue,
    renew_at: Timestamp,
}

/// What is known of our log-in.
enum Login {
    None,
    Done(Arc<ServiceToken>),
    Failed(Instant),
}

type Transport = HyperClient<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// A connection to one Keystone.
pub struct Client {
    transport: Transport,
    tokens_uri: Uri,
    settings: Settings,
    login: Mutex<Login>,
    slots: Semaphore,
}

impl Client {
    /// Connects on the first question, not before: Keystone may start later than we do.
    ///
    /// # Errors
    /// The address or the file of authorities cannot be used.
    pub fn new(settings: Settings) -> anyhow::Result<Self> {
        let base = settings.url.trim_end_matches('/').trim_end_matches("/v3");
        let tokens_uri: Uri = format!("{base}/v3/auth/tokens")
            .parse()
            .with_context(|| format!("the Keystone URL {} is no URL", settings.url))?;
        if !matches!(tokens_uri.scheme_str(), Some("http" | "https")) {
            bail!("the Keystone URL {} does not begin with http:// or https://", settings.url);
        }
        Ok(Self {
            transport: transport(&settings)?,
            tokens_uri,
            settings,
            login: Mutex::new(Login::None),
            slots: Semaphore::new(REQUESTS_MAX),
        })
    }

    /// What Keystone knows of this token; `None`: it is not valid.
    ///
    /// # Errors
    /// Keystone does not answer, or not as it should, or does not trust us.
    pub async fn validate(
        &self,
        token: &[u8],
        allow_expired: bool,
    ) -> anyhow::Result<Option<Granted>> {
        let work = self.validate_once_or_twice(token, allow_expired);
        tokio::time::timeout(self.settings.timeout, work)
            .await
            .map_err(|_| anyhow!("no answer within {:?}", self.settings.timeout))?
    }

    async fn validate_once_or_twice(
        &self,
        token: &[u8],
        allow_expired: bool,
    ) -> anyhow::Result<Option<Granted>> {
        // What cannot be a header value cannot be a token.
        let Ok(mut subject) = HeaderValue::from_bytes(token) else { return Ok(None) };
        subject.set_sensitive(true);
        let mut own = self.service_token().await?;
        for attempt in 0..2 {
            let reply = self.ask(&own, &subject, allow_expired).await?;
            match reply.status() {
                StatusCode::OK => {
                    let granted = document::read(reply.body())
                        .context("Keystone's answer about a token cannot be read")?;
                    return Ok(Some(granted));
                }
                StatusCode::NOT_FOUND => return Ok(None),
                // Our own token has been revoked, or Keystone changed its keys.
                StatusCode::UNAUTHORIZED if attempt == 0 => {
                    self.forget(&own).await;
                    own = self.service_token().await?;
                }
                // PARITY: keystoneauth1 reads 400 as a token that Keystone cannot even parse.
                StatusCode::BAD_REQUEST => return Ok(None),
                status => bail!("Keystone answers {status} to a question about a token"),
            }
        }
        bail!("Keystone does not accept the service token it has just given us")
    }

    /// Asks another service as our service user: a request whose body may be sent again, with our
    /// token. A token that is refused is replaced once.
    ///
    /// # Errors
    /// Keystone or the service cannot be reached in time. Any status is an answer.
    pub async fn send_as_service(
        &self,
        request: &Request<Bytes>,
    ) -> anyhow::Result<Response<Bytes>> {
        let work = async {
            let mut own = self.service_token().await?;
            let reply = self.send_with(&own, request).await?;
            if reply.status() != StatusCode::UNAUTHORIZED {
                return Ok(reply);
            }
            self.forget(&own).await;
            own = self.service_token().await?;
            self.send_with(&own, request).await
        };
        tokio::time::timeout(self.settings.timeout, work)
            .await
            .map_err(|_| anyhow!("no answer within {:?}", self.settings.timeout))?
    }

    async fn send_with(
        &self,
        own: &ServiceToken,
        request: &Request<Bytes>,
    ) -> anyhow::Result<Response<Bytes>> {
        let mut request = request.clone().map(Full::new);
        request.headers_mut().insert(&AUTH_TOKEN, own.header.clone());
        self.send(request).await
    }

    /// The body of `GET /v3/auth/catalog`: the services that our project has.
    ///
    /// # Errors
    /// Keystone cannot be reached, or does not answer with 200.
    pub async fn catalog(&self) -> anyhow::Result<Bytes> {
        let base = self.tokens_uri.to_string();
        let uri = base.replace("/auth/tokens", "/auth/catalog");
        let reply = self.send_as_service(&Request::get(uri).body(Bytes::new())?).await?;
        if reply.status() != StatusCode::OK {
            bail!("Keystone answers {} to a question for its catalog", reply.status());
        }
        Ok(reply.into_body())
    }

    async fn ask(
        &self,
        own: &ServiceToken,
        subject: &HeaderValue,
        allow_expired: bool,
    ) -> anyhow::Result<Response<Bytes>> {
        let query = if allow_expired { "?nocatalog&allow_expired=1" } else { "?nocatalog" };
        let uri = format!("{}{query}", self.tokens_uri);
        let mut failed = None;
        // A kept connection may have been closed by the other side: one more try is free of harm.
        for _ in 0..2 {
            let request = Request::get(&uri)
                .header(&AUTH_TOKEN, own.header.clone())
                .header(&SUBJECT_TOKEN, subject.clone())
                .body(Full::default())?;
            match self.send(request).await {
                Ok(reply) => return Ok(reply),
                Err(error) => failed = Some(error),
            }
        }
        Err(failed.unwrap_or_else(|| anyhow!("Keystone was not asked")))
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> anyhow::Result<Response<Bytes>> {
        let _slot = self.slots.acquire().await?;
        let (head, body) = self.transport.request(request).await?.into_parts();
        let body = Limited::new(body, REPLY_BYTES_MAX)
            .collect()
            .await
            .map_err(|error| anyhow!("Keystone's answer breaks off: {error}"))?;
        Ok(Response::from_parts(head, body.to_bytes()))
    }

    /// Our own token: the known one or, for all who wait together, one new.
    async fn service_token(&self) -> anyhow::Result<Arc<ServiceToken>> {
        let mut login = self.login.lock().await;
        match &*login {
            Login::Done(token) if token.renew_at > Timestamp::now() => return Ok(token.clone()),
            Login::Failed(at) if at.elapsed() < PAUSE => {
                bail!("the log-in has just failed; the next one is tried in a moment")
            }
            _ => {}
        }
        // Left behind should the caller's patience end while we wait.
        *login = Login::Failed(Instant::now());
        let token = match self.log_in().await {
            Ok(token) => Arc::new(token),
            Err(error) => {
                *login = Login::Failed(Instant::now());
                return Err(error);
            }
        };
        *login = Login::Done(token.clone());
        Ok(token)
    }

    async fn forget(&self, token: &Arc<ServiceToken>) {
        let mut login = self.login.lock().await;
        if matches!(&*login, Login::Done(known) if Arc::ptr_eq(known, token)) {
            *login = Login::None;
        }
    }

    async fn log_in(&self) -> anyhow::Result<ServiceToken> {
        let settings = &self.settings;
        let body = json!({"auth": {
            "identity": {"methods": ["password"], "password": {"user": {
                "name": settings.user,
                "domain": {"name": settings.user_domain},
                "password": settings.password.expose_secret(),
            }}},
            "scope": {"project": {
                "name": settings.project,
                "domain": {"name": settings.project_domain},
            }},
        }});
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("{}?nocatalog", self.tokens_uri))
            .header(CONTENT_TYPE, "application/json")
            .body(Full::from(body.to_string()))?;
        let reply = self.send(request).await.context("Keystone cannot be reached")?;
        if reply.status() != StatusCode::CREATED {
            bail!("Keystone answers {} to the log-in of {}", reply.status(), settings.user);
        }
        let mut header = reply
            .headers()
            .get(&SUBJECT_TOKEN)
            .cloned()
            .context("Keystone's answer to the log-in has no token")?;
        header.set_sensitive(true);
        let ends = document::read(reply.body())
            .context("Keystone's answer to the log-in cannot be read")?
            .expires_at;
        let renew_at = ends.checked_sub(RENEW_BEFORE).unwrap_or(ends);
        Ok(ServiceToken { header, renew_at })
    }

    /// Which Keystone this is.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }
}

fn transport(settings: &Settings) -> anyhow::Result<Transport> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let versions: &[&rustls::SupportedProtocolVersion] = if settings.tls12 {
        &[&rustls::version::TLS13, &rustls::version::TLS12]
    } else {
        &[&rustls::version::TLS13]
    };
    let builder =
        rustls::ClientConfig::builder_with_provider(provider).with_protocol_versions(versions)?;
    let tls = match &settings.ca_file {
        Some(path) => {
            let mut roots = rustls::RootCertStore::empty();
            let file = || format!("the authorities in {}", path.display());
            for certificate in CertificateDer::pem_file_iter(path).with_context(file)? {
                roots.add(certificate.with_context(file)?).with_context(file)?;
            }
            builder.with_root_certificates(roots).with_no_client_auth()
        }
        None => builder.with_platform_verifier()?.with_no_client_auth(),
    };
    let mut tcp = HttpConnector::new();
    tcp.set_nodelay(true);
    tcp.enforce_http(false);
    tcp.set_connect_timeout(Some(settings.timeout));
    let connector = hyper_rustls::HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp);
    Ok(HyperClient::builder(TokioExecutor::new())
        .pool_idle_timeout(Duration::from_secs(30))
        .pool_timer(TokioTimer::new())
        .build(connector))
}
