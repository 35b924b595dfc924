//! Every error a caller can see, one line each: wire type, HTTP status, message. Types and statuses are
//! Neutron's, since clients match on them; the sentences are ours. Not here: what makes them happen.

use std::fmt::{self, Display};

/// An error that a caller sees: `{"NeutronError": {"type": kind, "message": message, "detail": ""}}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Neutron's name for it.
    pub kind: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong and what would be accepted, in plain words.
    pub message: String,
}

impl Fault {
    /// A fault. Prefer the constructors of this module.
    pub fn new(kind: &'static str, status: u16, message: impl Into<String>) -> Self {
        Self { kind, status, message: message.into() }
    }
}

/// Why something could not be done.
#[derive(Debug)]
pub enum Error {
    /// The caller's: safe to show.
    Fault(Box<Fault>),
    /// Somebody else was quicker: run the transaction again. Never leaves `Db::write`.
    Retry(&'static str),
    /// Ours: logged once with its context, shown as a 500 with the request id.
    Internal(anyhow::Error),
}

/// The result of anything that can fail.
pub type Result<T> = std::result::Result<T, Error>;

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Self::Fault(Box::new(fault))
    }
}

impl From<anyhow::Error> for Error {
    fn from(error: anyhow::Error) -> Self {
        Self::Internal(error)
    }
}

impl Error {
    /// An error of ours with this explanation for the log.
    pub fn internal(message: impl Display) -> Self {
        Self::Internal(anyhow::anyhow!("{message}"))
    }

    /// The fault, if it is the caller's.
    pub fn fault(&self) -> Option<&Fault> {
        match self {
            Self::Fault(fault) => Some(fault),
            _ => None,
        }
    }
}

impl Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fault(fault) => write!(out, "{}: {}", fault.kind, fault.message),
            Self::Retry(why) => write!(out, "conflict with another transaction: {why}"),
            Self::Internal(error) => write!(out, "{error:#}"),
        }
    }
}

impl std::error::Error for Error {}

/// Declares constructors: `name(argument, …) = status "WireType", "message with {argument}";`.
macro_rules! faults {
    ($( $name:ident ( $($arg:ident),* ) = $status:literal $kind:literal, $message:literal; )*) => {
        $(
            #[doc = concat!("`", $kind, "`, HTTP ", stringify!($status), ".")]
            pub fn $name($($arg: impl Display),*) -> Error {
                Fault::new($kind, $status, format!($message)).into()
            }
        )*
        /// Every fault of this table: (type, status). Compared with Neutron's by a test.
        pub static ALL: &[(&str, u16)] = &[ $( ($kind, $status) ),* ];
    };
}

faults! {
    // The request itself.
    bad_request(why) = 400 "HTTPBadRequest", "{why}";
    invalid_input(why) = 400 "InvalidInput", "{why}";
    not_found(what) = 404 "HTTPNotFound", "{what}";
    method_not_allowed(method, path) = 405 "HTTPMethodNotAllowed", "{method} is not possible on {path}.";
    not_authorized(rule) = 403 "PolicyNotAuthorized", "The policy rule {rule} does not permit this to you.";
    forbidden(why) = 403 "HTTPForbidden", "{why}";
    too_large(limit) = 413 "HTTPRequestEntityTooLarge", "The body is larger than the accepted {limit} bytes.";
    unsupported_media(given) = 415 "HTTPUnsupportedMediaType", "The body's type {given} is not accepted; send application/json.";
    unavailable(what) = 503 "HTTPServiceUnavailable", "{what}";
    revision_mismatch(collection, id, revision) = 412 "RevisionNumberConstraintFailed", "{collection} {id} is at revision {revision}, which is not the one in If-Match; read it again and decide anew.";
    conflict_state(what) = 409 "Conflict", "{what}";

    // References and their owners.
    network_not_found(net_id) = 404 "NetworkNotFound", "There is no network {net_id} that this project can use.";
    subnet_not_found(subnet_id) = 404 "SubnetNotFound", "There is no subnet {subnet_id} that this project can use.";
    port_not_found(port_id) = 404 "PortNotFound", "There is no port {port_id} that this project can use.";
}
