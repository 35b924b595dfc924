//! The Networking API v2.0 over HTTP. Routes come from the tables; each verb is one operation for
//! all kinds. Not here: the listener and its TLS (`server`), what things mean (`model`), SQL.

pub mod authority;
pub mod bindings;
pub mod body;
pub mod catalog;
pub mod extension;
pub mod list;
pub mod operation;
pub mod project;
pub mod query;
pub mod quotas;
pub mod reply;
pub mod route;
pub mod server;
pub mod tags;
